/** How long a mark may be taken back. */
import type { NotedEvent } from '../lib/types';

const UNDO_MS = 10_000;
export function mayUndo(event: NotedEvent, now_ms: number): boolean {
  return !event.undone && event.undoable !== false && now_ms - Date.parse(event.t) < UNDO_MS;
}

/** What Ctrl+Z takes back: the newest mark, while it may be. */
export function lastToUndo(events: readonly NotedEvent[], now_ms: number): number | null {
  return events.findLast((event) => mayUndo(event, now_ms))?.seq ?? null;
}
