/** The line to the agent: who is signed in, the room's state as it comes, commands and their answers. */
import { speech } from '../messages/index.svelte';
import type { EventCode, Kind, Outcome, RoomState, Schedule, Session, Words } from './types';

const AGAIN_MS = 1000;
/** The agent speaks eight times a second; after so long a silence it is not there. */
const SILENCE_MS = 2500;
const SCHEDULE_EVERY_MS = 60_000;
const MARKS = new Set<Kind>(['note', 'undo', 'dismiss']);

export class No extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly wait_s: number,
    title: string,
  ) {
    super(title);
  }
}

async function ask<T>(path: string, method = 'GET', body?: unknown): Promise<T> {
  const request: RequestInit = { method, credentials: 'same-origin' };
  if (body !== undefined) {
    request.headers = { 'Content-Type': 'application/json' };
    request.body = JSON.stringify(body);
  }
  const answer = await fetch(`/api${path}`, request);
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  const no = (await answer.json().catch(() => ({}))) as { code?: string; title?: string; wait_s?: number };
  throw new No(answer.status, no.code ?? '', no.wait_s ?? 0, no.title ?? answer.statusText);
}

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Link {
  /** null until the agent has said. */
  session = $state.raw<Session | null>(null);
  state = $state.raw<RoomState | null>(null);
  schedule = $state.raw<Schedule>({ generated_utc: null, hearings: [] });
  /** The events that may be noted. */
  codes = $state.raw<EventCode[]>([]);
  /** The words of everything that can stand in the log. */
  names = $state.raw<Record<string, Words>>({});
  /** Since when the agent does not answer; what is shown of the room is that old. */
  lost_ms = $state<number | null>(null);
  /** The deed that is being done; marks are not waited for. */
  waiting = $state<Kind | null>(null);
  failure = $state.raw<{ kind: Kind; detail: string; says: Partial<Words> } | null>(null);

  #wake: () => void = () => {};
  #before: Promise<unknown> = Promise.resolve();

  /** For as long as the page is open. */
  async begin(): Promise<void> {
    for (;;) {
      try {
        this.session = await ask<Session>('/session');
        this.lost_ms = null;
        if (this.session.signed_in) {
          await this.#load();
          await this.#listen();
        } else {
          await Promise.race([pass(this.session.pin_set ? 60_000 : 3000), this.#woken()]);
          continue;
        }
      } catch {
        this.#lose();
      }
      await pass(AGAIN_MS);
    }
  }

  async signIn(pin: string, name: string): Promise<void> {
    this.session = await ask<Session>('/session', 'POST', { pin, name });
    this.#wake();
  }

  async signOut(): Promise<void> {
    await ask<void>('/session', 'DELETE');
    location.reload();
  }

  /**
   * Have something done in the room, after what was asked before: keys that are pressed in haste are
   * not lost. Asked again with the same id when the line breaks: the agent does it once. Returns
   * whether it was done.
   */
  send(kind: Kind, args: Record<string, string | number> = {}, hearing?: string): Promise<boolean> {
    const body = { id: crypto.randomUUID(), kind, args, hearing: hearing ?? null };
    const done = this.#before.then(() => this.#do(body));
    this.#before = done;
    return done;
  }

  async #do(body: { kind: Kind }): Promise<boolean> {
    const { kind } = body;
    if (!MARKS.has(kind)) this.waiting = kind;
    this.failure = null;
    try {
      const { ok, detail, says } = await this.#surely(body);
      if (!ok) this.failure = { kind, detail, says: says ?? {} };
      return ok;
    } catch (error) {
      this.failure = { kind, detail: error instanceof No ? error.message : '', says: {} };
      return false;
    } finally {
      this.waiting = null;
    }
  }

  /** Why the last command was not done, in words. */
  why(): string {
    return this.failure?.says[speech.language] ?? this.failure?.detail ?? '';
  }

  async #surely(body: object): Promise<Outcome> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask<Outcome>('/commands', 'POST', body);
      } catch (error) {
        if (error instanceof No || tries === 3) throw error;
        await pass(AGAIN_MS);
      }
    }
  }

  async #load(): Promise<void> {
    const [schedule, events, state] = await Promise.all([
      ask<Schedule>('/schedule'),
      ask<{ codes: EventCode[]; names: Record<string, Words> }>('/events'),
      ask<RoomState>('/state'),
    ]);
    this.schedule = schedule;
    this.codes = events.codes;
    this.names = events.names;
    this.state = state;
  }

  /** Returns when the stream is over: the agent has gone, or the session has. */
  #listen(): Promise<void> {
    return new Promise((resolve) => {
      const stream = new EventSource('/api/live');
      let heard_ms = Date.now();
      const end = (): void => {
        stream.close();
        clearInterval(watch);
        clearInterval(refresh);
        this.#lose();
        resolve();
      };
      const watch = setInterval(() => Date.now() - heard_ms > SILENCE_MS && end(), 500);
      const refresh = setInterval(
        () =>
          void ask<Schedule>('/schedule').then(
            (schedule) => (this.schedule = schedule),
            () => {}, // the stream says whether the agent is there
          ),
        SCHEDULE_EVERY_MS,
      );
      stream.addEventListener('state', (event) => {
        heard_ms = Date.now();
        this.lost_ms = null;
        this.state = JSON.parse((event as MessageEvent<string>).data) as RoomState;
      });
      stream.addEventListener('error', end);
    });
  }

  #lose(): void {
    this.lost_ms ??= Date.now();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

export const link = new Link();
