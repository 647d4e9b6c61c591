/** The rooms a page shows, kept current by `/rooms/live`. */
import { api } from './api';
import { listen } from './live';
import type { Room } from './types';

/** `rooms` with the news in it; a room that is not there yet is added at the end. */
export function withNews(rooms: readonly Room[], news: Room | readonly Room[]): Room[] {
  const fresh = new Map(([news].flat() as Room[]).map((room) => [room.courtroom.id, room]));
  const known = rooms.map((room) => fresh.get(room.courtroom.id) ?? room);
  const added = [...fresh.values()].filter(
    (room) => !rooms.some((r) => r.courtroom.id === room.courtroom.id),
  );
  return [...known, ...added];
}

export class RoomsWatch {
  /** null until they are loaded. */
  rooms = $state.raw<Room[] | null>(null);
  /** Why they could not be loaded. */
  failure = $state<unknown>(null);

  /** Load, then listen, until the returned function is called. */
  follow(): () => void {
    const stop = new AbortController();
    void this.#load(stop.signal);
    return () => stop.abort();
  }

  async #load(signal: AbortSignal): Promise<void> {
    try {
      this.rooms = await api.rooms(signal);
      this.failure = null;
    } catch (error) {
      if (!signal.aborted && !this.rooms) this.failure = error;
      return;
    }
    if (signal.aborted) return;
    const take = (news: Room | Room[]): void => {
      this.rooms = withNews(this.rooms ?? [], news);
    };
    const hush = listen(api.roomsLive(), { room: take });
    signal.addEventListener('abort', hush);
  }
}
