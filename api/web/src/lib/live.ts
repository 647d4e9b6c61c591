/** Server-sent events, with the session and the network watched. */
import { alive, api, Refused } from './api';
import { session } from './session.svelte';

/** What to do with each kind of event; its data is JSON. */
export type Listeners = Record<string, (data: never) => void>;

/**
 * Listen until the returned function is called. The browser reconnects by itself; when it has given
 * up, we ask whether the session still lives and open the stream again.
 */
export function listen(url: string, listeners: Listeners, onOpen: () => void = () => {}): () => void {
  let stream: EventSource | null = null;
  let timer = 0;
  let over = false;

  const open = (): void => {
    if (over) return;
    stream = new EventSource(url);
    stream.addEventListener('open', onOpen);
    for (const [name, take] of Object.entries(listeners)) {
      stream.addEventListener(name, (event) =>
        take(JSON.parse((event as MessageEvent<string>).data) as never),
      );
    }
    stream.addEventListener('error', () => void recover());
  };

  const recover = async (): Promise<void> => {
    if (stream?.readyState !== EventSource.CLOSED) {
      if (!(await alive())) session.lose();
      return;
    }
    try {
      await api.me();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return session.end();
    }
    timer = window.setTimeout(open, 2000);
  };

  open();
  return () => {
    over = true;
    window.clearTimeout(timer);
    stream?.close();
  };
}
