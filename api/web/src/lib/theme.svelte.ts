/** Light, dark, or as the system is; courtrooms are dark unless somebody has chosen. */

export type Wish = 'auto' | 'light' | 'dark';

const KEPT = 'tyndau.theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');

class Theme {
  wish = $state<Wish>('auto');
  #courtroom = false;

  begin(): void {
    const kept = localStorage.getItem(KEPT);
    if (kept === 'light' || kept === 'dark') this.wish = kept;
    dark.addEventListener('change', () => this.#show());
    this.#show();
  }

  choose(wish: Wish): void {
    this.wish = wish;
    if (wish === 'auto') localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, wish);
    this.#show();
  }

  /** Whether the page shown belongs to a courtroom. */
  enter(courtroom: boolean): void {
    this.#courtroom = courtroom;
    this.#show();
  }

  #show(): void {
    const byDefault = this.#courtroom || dark.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme = this.wish === 'auto' ? byDefault : this.wish;
  }
}

export const theme = new Theme();
