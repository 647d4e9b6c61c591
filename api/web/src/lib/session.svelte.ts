/** Who is signed in, and whether the server can be reached. */
import { speech } from '../messages/index.svelte';
import { alive, api, onTraffic, Refused, setCsrf } from './api';
import { router, safeReturn } from './router.svelte';
import type { Me, ProviderReply } from './types';

const RETRY_MS = 3000;
const RETURN = '/sign-in/return';
const NEXT = 'tyndau.next';

class Session {
  /** undefined until the server has said. */
  me = $state<Me | null | undefined>(undefined);
  /** Whoever is on the way in: signed in, but a step is left. */
  entering = $state<Me | null>(null);
  /** The password just given: a step may need it once more. Forgotten as soon as all steps are done. */
  password = '';
  /** A session ended by itself; the sign-in page says so. */
  expired = $state(false);
  /** On the way in from the provider. */
  coming = $state(false);
  /** Why nobody came in from the provider. */
  failure = $state<unknown>(null);
  /** Signed out here, but perhaps not at the provider. */
  left = $state(false);
  online = $state(true);
  /** Counts returns of the network; pages that depend on it load again. */
  returns = $state(0);
  #retrying = false;

  async begin(): Promise<void> {
    onTraffic({
      expired: () => this.end(),
      reached: () => this.#back(),
      lost: () => this.lose(),
    });
    window.addEventListener('offline', () => this.lose());
    if (location.pathname === RETURN) await this.#comeFromProvider();
    else await this.#ask();
  }

  /** The page to be opened after signing in. */
  #next(): string {
    return safeReturn(router.query.get('next'));
  }

  /** Leave for the provider; it sends the browser back to RETURN. */
  async goToProvider(): Promise<void> {
    this.failure = null;
    const { url } = await api.goToProvider(this.#next());
    sessionStorage.setItem(NEXT, this.#next());
    location.assign(url);
  }

  /** What the address brings is good once: it leaves the address bar before anything else is asked. */
  async #comeFromProvider(): Promise<void> {
    const brought = new URLSearchParams(location.search);
    const next = safeReturn(sessionStorage.getItem(NEXT));
    sessionStorage.removeItem(NEXT);
    router.go(next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`, { replace: true });
    const reply: ProviderReply = { state: brought.get('state') ?? '-' };
    for (const name of ['code', 'error', 'iss'] as const) reply[name] = brought.get(name) ?? undefined;
    this.coming = true;
    try {
      const come = await api.comeFromProvider(reply);
      this.#enter(come.me);
      if (!come.me.step) router.go(safeReturn(come.next), { replace: true });
    } catch (error) {
      this.failure = error;
      await this.#ask();
    } finally {
      this.coming = false;
    }
  }

  /** Sign out at the provider too; false where it has no page for that. */
  async leaveProvider(): Promise<boolean> {
    const { url } = await api.leavingProvider();
    if (url) location.assign(url);
    return Boolean(url);
  }

  async #ask(): Promise<void> {
    try {
      this.#enter(await api.me());
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.me = null;
      else setTimeout(() => void this.#ask(), RETRY_MS);
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    const me = await api.signIn(username, password);
    this.password = password;
    this.#come(me);
  }

  /** `signature`: the file's bytes in base64. */
  async signInBySignature(signature: string): Promise<void> {
    this.#come(await api.bringSignature(signature));
  }

  #come(me: Me): void {
    this.expired = this.left = false;
    this.failure = null;
    this.proceed(me);
  }

  /** A step was done; go on to the next, or in. */
  proceed(me: Me): void {
    this.#enter(me);
    if (!me.step) this.#arrive();
  }

  /** The session goes on under other tokens. */
  renew(me: Me): void {
    this.#enter(me);
  }

  /** Not this person: begin anew. */
  async leave(): Promise<void> {
    try {
      await api.signOut();
    } finally {
      this.left = this.entering?.by_provider ?? false;
      this.entering = null;
      this.password = '';
    }
  }

  #arrive(): void {
    router.go(this.#next(), { replace: true });
  }

  async signOut(): Promise<void> {
    try {
      await api.signOut();
    } finally {
      this.left = this.me?.by_provider ?? false;
      this.me = null;
      router.go('/sign-in');
    }
  }

  /** The server no longer knows this session: sign in and come back here. */
  end(): void {
    if (!this.me && !this.entering) return;
    this.expired = true;
    this.me = null;
    this.entering = null;
  }

  lose(): void {
    this.online = false;
    if (this.#retrying) return;
    this.#retrying = true;
    void this.#retry();
  }

  async #retry(): Promise<void> {
    while (!this.online) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (await alive()) this.#back();
    }
    this.#retrying = false;
  }

  #back(): void {
    if (this.online) return;
    this.online = true;
    this.returns += 1;
  }

  #enter(me: Me): void {
    setCsrf(me.csrf_token);
    speech.suggest(me.language);
    this.entering = me.step ? me : null;
    this.me = me.step ? null : me;
    if (!me.step) this.password = '';
  }
}

export const session = new Session();
