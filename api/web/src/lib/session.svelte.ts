/** Who is signed in, and whether the server can be reached. */
import { speech } from '../messages/index.svelte';
import { alive, api, onTraffic, Refused, setCsrf } from './api';
import { router, safeReturn } from './router.svelte';
import type { Me } from './types';

const RETRY_MS = 3000;

class Session {
  /** undefined until the server has said. */
  me = $state<Me | null | undefined>(undefined);
  /** A session ended by itself; the sign-in page says so. */
  expired = $state(false);
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
    await this.#ask();
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
    this.#enter(await api.signIn(username, password));
    this.expired = false;
    router.go(safeReturn(router.query.get('next')), { replace: true });
  }

  async signOut(): Promise<void> {
    try {
      await api.signOut();
    } finally {
      this.me = null;
      router.go('/sign-in');
    }
  }

  /** The server no longer knows this session: sign in and come back here. */
  end(): void {
    if (!this.me) return;
    this.expired = true;
    this.me = null;
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
    this.me = me;
  }
}

export const session = new Session();
