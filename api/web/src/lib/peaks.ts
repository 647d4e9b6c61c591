/** Peak hold of level meters: a peak stands for a while, then falls. */

const HOLD_MS = 1500;
const FALL_DB_PER_S = 20;

export class PeakHold {
  #peaks = new Map<string, { db: number; at_ms: number }>();

  /** What to show for `key` when its peak is `db` at `now_ms`. */
  held(key: string, db: number, now_ms: number): number {
    const known = this.#peaks.get(key);
    const falling_s = known ? Math.max(0, now_ms - known.at_ms - HOLD_MS) / 1000 : 0;
    const shown = known ? known.db - falling_s * FALL_DB_PER_S : -Infinity;
    if (db < shown) return shown;
    this.#peaks.set(key, { db, at_ms: now_ms });
    return db;
  }
}
