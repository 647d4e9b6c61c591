/** The present moment, for clocks and timers on the page. */

class Now {
  utc_ms = $state(Date.now());

  constructor() {
    setInterval(() => (this.utc_ms = Date.now()), 500);
  }
}

export const now = new Now();
