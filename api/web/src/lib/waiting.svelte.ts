/** How many requests wait for a decision of this person; the menu shows it. */
import { api } from './api';

class Waiting {
  count = $state(0);

  /** Ask again; a failure leaves what is known. */
  async look(): Promise<void> {
    try {
      this.count = (await api.requests({ state: 'waiting', limit: 1 })).waiting;
    } catch {
      // the page itself says what is wrong
    }
  }
}

export const waiting = new Waiting();
