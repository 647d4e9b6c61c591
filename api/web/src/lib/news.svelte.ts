/** How many notices the person has not read; the header shows it. */
import { api } from './api';

class News {
  unread = $state(0);

  /** Ask again; a failure leaves what is known. */
  async look(): Promise<void> {
    try {
      this.unread = (await api.notices({ limit: 1 })).unread;
    } catch {
      // the page itself says what is wrong
    }
  }
}

export const news = new News();
