/** Sound levels as a share of a meter's length. */

/** The quietest level a meter shows, in dB below full scale. */
export const FLOOR_DB = -60;

/** 0 at FLOOR_DB and below, 1 at full scale. */
export function share(db: number): number {
  if (!Number.isFinite(db)) return 0;
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}
