/** Where the person is: the address bar, read and written. */

class Router {
  path = $state('/');
  query = $state<URLSearchParams>(new URLSearchParams());

  begin(): void {
    this.#read();
    window.addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }

  /** Go to an address of this application. */
  go(to: string, { replace = false } = {}): void {
    if (replace) history.replaceState(null, '', to);
    else history.pushState(null, '', to);
    this.#read();
    if (!replace) window.scrollTo(0, 0);
  }

  /** Change the address without going anywhere: what a reload or a return should open. */
  note(to: string): void {
    history.replaceState(null, '', to);
  }

  /** The present address as the bar shows it. */
  here(): string {
    return location.pathname + location.search;
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/') || link.hash) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();

/** The page behind a path and what the path names. */
export type Place =
  | {
      page:
        | 'hearings'
        | 'rooms'
        | 'search'
        | 'requests'
        | 'notices'
        | 'opinions'
        | 'statistics'
        | 'account'
        | 'signin'
        | 'missing';
    }
  | { page: 'room' | 'recording' | 'notice'; id: string };

const OF_THEIR_OWN = ['rooms', 'search', 'requests', 'notices', 'opinions', 'statistics', 'account'] as const;

export function placeOf(path: string): Place {
  const [head = '', id, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent);
  if (rest.length) return { page: 'missing' };
  if (head === 'sign-in' && id === 'return') return { page: 'signin' };
  if (id !== undefined) {
    const page = ({ rooms: 'room', recordings: 'recording', notices: 'notice' } as const)[head];
    return page ? { page, id } : { page: 'missing' };
  }
  if (head === '' || head === 'hearings') return { page: 'hearings' };
  if (OF_THEIR_OWN.includes(head as (typeof OF_THEIR_OWN)[number]))
    return { page: head as (typeof OF_THEIR_OWN)[number] };
  return head === 'sign-in' ? { page: 'signin' } : { page: 'missing' };
}

/** A return address is followed only when it is a path of this application. */
export function safeReturn(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/';
}
