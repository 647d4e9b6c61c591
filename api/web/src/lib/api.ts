/** The API (`/api/v1`): one function a route. Failures are `Refused` or `NetworkLost`. */
import { speech } from '../messages/index.svelte';
import type { Contact, ContactAsked, Notice, NoticePage, Summoned } from './notices';
import type { Opinion, OpinionCell } from './opinions.svelte';
import type {
  Command,
  CommandState,
  CourtRequest,
  Device,
  Enrolled,
  Enrolment,
  Export,
  ExportKind,
  ExportLanguage,
  Hearing,
  HearingState,
  Mark,
  MarkAsked,
  Me,
  Page,
  PasskeyMade,
  PasskeyOptions,
  Problem,
  Proof,
  Provider,
  ProviderReply,
  Recording,
  RequestPage,
  RequestState,
  Room,
  SearchAnswer,
  SecondFactor,
  SignatureWay,
  Statistics,
  StatisticsQuery,
  ToSign,
  Terms,
  Transcript,
  Wants,
} from './types';

const ROOT = '/api/v1';

/** The server answered no; `problem` says why in the caller's language. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail ?? problem.title);
  }
}

/** The server could not be reached. */
export class NetworkLost extends Error {}

interface Watch {
  /** Called for every answer 401 to a request made within a session. */
  expired(): void;
  reached(): void;
  lost(): void;
}

let csrf = '';
let watch: Watch = { expired() {}, reached() {}, lost() {} };

export function setCsrf(token: string): void {
  csrf = token;
}

export function onTraffic(watcher: Watch): void {
  watch = watcher;
}

type Query = Record<string, string | number | null | undefined>;

function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  return `${ROOT}${path}${search.size ? `?${search}` : ''}`;
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    const answer = await fetch(url, init);
    watch.reached();
    return answer;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    watch.lost();
    throw new NetworkLost(String(error));
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    return (await answer.json()) as Problem;
  } catch {
    return { title: answer.statusText, status: answer.status };
  }
}

async function ask<T>(
  method: string,
  url: string,
  { body, signal }: { body?: unknown; signal?: AbortSignal } = {},
): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': speech.language };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf;
  const answer = await reach(url, {
    method,
    headers,
    credentials: 'same-origin',
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  const refusal = new Refused(answer.status, await problemOf(answer));
  if (answer.status === 401 && !url.endsWith('/session')) watch.expired();
  throw refusal;
}

const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  ask<T>('GET', address(path, query), { signal });

const part = encodeURIComponent;

export const api = {
  signIn: (username: string, password: string) =>
    ask<Me>('POST', address('/session'), { body: { username, password } }),
  me: () => get<Me>('/session'),
  provider: (signal?: AbortSignal) => get<Provider>('/session/provider', {}, signal),
  goToProvider: (next: string) =>
    ask<{ url: string }>('POST', address('/session/provider/flows'), { body: { next } }),
  comeFromProvider: (reply: ProviderReply) =>
    ask<{ me: Me; next: string }>('POST', address('/session/provider'), { body: reply }),
  leavingProvider: () => get<{ url: string | null }>('/session/provider/leaving'),
  signature: (signal?: AbortSignal) => get<SignatureWay>('/session/signature', {}, signal),
  textToSign: () => ask<ToSign>('POST', address('/session/signature/flows'), { body: {} }),
  /** `signature`: the file's bytes in base64. */
  bringSignature: (signature: string) =>
    ask<Me>('POST', address('/session/signature'), { body: { signature } }),
  signOut: () => ask<void>('DELETE', address('/session')),
  prove: (proof: Proof) => ask<Me>('POST', address('/session/second-factor'), { body: proof }),
  changePassword: (current: string, password: string) =>
    ask<Me>('PUT', address('/session/password'), { body: { current, new: password } }),
  terms: (signal?: AbortSignal) => get<Terms>('/session/terms', {}, signal),
  acceptTerms: (version: string) => ask<Me>('PUT', address('/session/terms'), { body: { version } }),
  secondFactor: (signal?: AbortSignal) => get<SecondFactor>('/session/second-factor', {}, signal),
  beginEnrolment: (password: string, proof: Proof) =>
    ask<Enrolment>('POST', address('/session/second-factor/enrolment'), { body: { password, ...proof } }),
  finishEnrolment: (code: string) =>
    ask<Enrolled>('PUT', address('/session/second-factor/enrolment'), { body: { code } }),
  removeAuthenticator: (password: string, proof: Proof) =>
    ask<void>('DELETE', address('/session/second-factor'), { body: { password, ...proof } }),
  newRecoveryCodes: (proof: Proof) =>
    ask<{ recovery_codes: string[] }>('POST', address('/session/recovery-codes'), { body: proof }),
  passkeyChallenge: () =>
    ask<{ options: PasskeyOptions }>('POST', address('/session/passkeys/challenge'), { body: {} }),
  beginPasskey: (password: string, proof: Proof) =>
    ask<{ options: PasskeyOptions }>('POST', address('/session/passkeys/registration'), {
      body: { password, ...proof },
    }),
  finishPasskey: (name: string, passkey: PasskeyMade) =>
    ask<Enrolled>('PUT', address('/session/passkeys/registration'), { body: { name, passkey } }),
  removePasskey: (id: string, password: string, proof: Proof) =>
    ask<void>('DELETE', address(`/session/passkeys/${part(id)}`), { body: { password, ...proof } }),
  devices: (signal?: AbortSignal) => get<Device[]>('/session/devices', {}, signal),
  endDevice: (id: string) => ask<void>('DELETE', address(`/session/devices/${part(id)}`)),
  endOtherDevices: () => ask<{ sessions: number }>('DELETE', address('/session/devices')),
  hearings: (
    query: {
      from?: string;
      to?: string;
      q?: string;
      state?: HearingState;
      cursor?: string | null;
      limit?: number;
    },
    signal?: AbortSignal,
  ) => get<Page<Hearing>>('/hearings', query, signal),
  hearing: (id: string, signal?: AbortSignal) => get<Hearing>(`/hearings/${part(id)}`, {}, signal),
  command: (hearing: string, command: Command) =>
    ask<{ id: string }>('POST', address(`/hearings/${part(hearing)}/commands`), { body: command }),
  commandState: (hearing: string, id: string) =>
    get<CommandState>(`/hearings/${part(hearing)}/commands/${part(id)}`),
  recording: (id: string, signal?: AbortSignal) => get<Recording>(`/recordings/${part(id)}`, {}, signal),
  transcriptPage: (id: string, cursor: string | null, signal?: AbortSignal) =>
    get<Transcript>(`/recordings/${part(id)}/transcript`, { cursor }, signal),
  marks: (id: string, signal?: AbortSignal) => get<Mark[]>(`/recordings/${part(id)}/marks`, {}, signal),
  setMark: (id: string, asked: MarkAsked) =>
    ask<{ id: string }>('POST', address(`/recordings/${part(id)}/marks`), { body: asked }),
  liftMark: (id: string, mark: string, ground: string) =>
    ask<void>('POST', address(`/recordings/${part(id)}/marks/${part(mark)}/lift`), { body: { ground } }),
  requests: (
    query: { hearing?: string; state?: RequestState; cursor?: string | null; limit?: number },
    signal?: AbortSignal,
  ) => get<RequestPage>('/requests', query, signal),
  askCourt: (hearing: string, asked: { wants: Wants; reason: string }) =>
    ask<CourtRequest>('POST', address(`/hearings/${part(hearing)}/requests`), { body: asked }),
  withdrawRequest: (id: string) =>
    ask<CourtRequest>('POST', address(`/requests/${part(id)}/withdrawal`), { body: {} }),
  decideRequest: (id: string, decision: { days: number | null; ground: string }) =>
    ask<CourtRequest>('POST', address(`/requests/${part(id)}/decision`), { body: decision }),
  confirmEmergency: (id: string, ground: string) =>
    ask<CourtRequest>('POST', address(`/requests/${part(id)}/confirmation`), { body: { ground } }),
  revokeGrant: (id: string, ground: string) =>
    ask<void>('POST', address(`/grants/${part(id)}/revocation`), { body: { ground } }),
  notices: (query: { cursor?: string | null; limit?: number }, signal?: AbortSignal) =>
    get<NoticePage>('/notices', query, signal),
  notice: (id: string, signal?: AbortSignal) => get<Notice>(`/notices/${part(id)}`, {}, signal),
  readNotice: (id: string) => ask<void>('POST', address(`/notices/${part(id)}/reading`), { body: {} }),
  readNotices: () => ask<void>('POST', address('/notices/reading'), { body: {} }),
  summonses: (hearing: string, signal?: AbortSignal) =>
    get<Summoned[]>(`/hearings/${part(hearing)}/summonses`, {}, signal),
  summon: (hearing: string) =>
    ask<Summoned[]>('POST', address(`/hearings/${part(hearing)}/summonses`), { body: {} }),
  summonAgain: (hearing: string, summons: string) =>
    ask<Summoned[]>('POST', address(`/hearings/${part(hearing)}/summonses/${part(summons)}/sending`), {
      body: {},
    }),
  acknowledge: (summons: string) =>
    ask<void>('POST', address(`/summonses/${part(summons)}/acknowledgement`), { body: {} }),
  isAsked: (recording: string) => get<{ asked: boolean }>(`/recordings/${part(recording)}/opinion`),
  giveOpinion: (recording: string, opinion: Opinion) =>
    ask<void>('POST', address(`/recordings/${part(recording)}/opinion`), { body: opinion }),
  opinions: (signal?: AbortSignal) => get<OpinionCell[]>('/opinions', {}, signal),
  remarks: (signal?: AbortSignal) =>
    get<{ month: string; remark: string }[]>('/opinions/remarks', {}, signal),
  contact: (signal?: AbortSignal) => get<Contact>('/contact', {}, signal),
  setContact: (contact: ContactAsked) => ask<Contact>('PUT', address('/contact'), { body: contact }),
  rooms: (signal?: AbortSignal) => get<Room[]>('/rooms', {}, signal),
  statistics: (query: StatisticsQuery, signal?: AbortSignal) => get<Statistics>('/statistics', query, signal),
  statisticsTable: (query: StatisticsQuery, table: 'groups' | 'stored') =>
    address('/statistics', { ...query, format: 'csv', table }),
  search: (query: { q: string; cursor?: string | null; limit?: number }, signal?: AbortSignal) =>
    get<SearchAnswer>('/search', query, signal),
  bundle: (id: string, span?: { from_ms: number; to_ms: number }) =>
    address(`/recordings/${part(id)}/bundle`, span),
  exports: (id: string, signal?: AbortSignal) => get<Export[]>(`/recordings/${part(id)}/exports`, {}, signal),
  askExport: (id: string, asked: { kind: ExportKind; language: ExportLanguage; camera: string | null }) =>
    ask<Export>('POST', address(`/recordings/${part(id)}/exports`), { body: asked }),
  dropExport: (id: string, one: string) =>
    ask<void>('DELETE', address(`/recordings/${part(id)}/exports/${part(one)}`)),
  recordingLive: (id: string) => address(`/recordings/${part(id)}/live`),
  roomsLive: () => address('/rooms/live'),
};

/** True when the server answers at all. */
export async function alive(): Promise<boolean> {
  try {
    const answer = await fetch('/healthz', { cache: 'no-store' });
    return answer.status < 500;
  } catch {
    return false;
  }
}
