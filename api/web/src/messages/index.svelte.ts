/**
 * The words of the interface in three languages. A table that misses a word does not compile, and
 * tests/messages.test.ts finds those left empty or untranslated.
 */
import type { Language } from '../lib/types';
import { en } from './en';
import { kk } from './kk';
import { ru, type Messages } from './ru';

export const TABLES: Record<Language, Messages> = { kk, ru, en };
export const LANGUAGES: readonly { code: Language; short: string; name: string }[] = [
  { code: 'kk', short: 'ҚАЗ', name: 'Қазақша' },
  { code: 'ru', short: 'РУС', name: 'Русский' },
  { code: 'en', short: 'ENG', name: 'English' },
];

const KEPT = 'tyndau.language';

function isLanguage(value: string | null | undefined): value is Language {
  return value === 'kk' || value === 'ru' || value === 'en';
}

class Speech {
  language = $state<Language>('kk');
  /** True once the person, not the browser or the account, has chosen. */
  chosen = false;

  /** The person's choice, else the browser's first language that we speak, else Kazakh. */
  begin(): void {
    const kept = localStorage.getItem(KEPT);
    this.chosen = isLanguage(kept);
    const wish = navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage);
    this.#set(isLanguage(kept) ? kept : (wish ?? 'kk'));
  }

  choose(language: Language): void {
    localStorage.setItem(KEPT, language);
    this.chosen = true;
    this.#set(language);
  }

  /** The account's language, unless the person has chosen one in this browser. */
  suggest(language: Language): void {
    if (!this.chosen) this.#set(language);
  }

  #set(language: Language): void {
    this.language = language;
    document.documentElement.lang = language;
  }
}

export const speech = new Speech();

/** The current language's words; reading them in a component makes it follow the language. */
export function say(): Messages {
  return TABLES[speech.language];
}

/** A word from one of the tables of codes, or the code itself when it is not known here. */
export function word(table: Readonly<Record<string, string>>, code: string): string {
  return table[code] ?? code;
}

type InThree<K extends string> = Record<`${K}_${Language}`, string>;

/** `name_kk|ru|en` or `role_kk|ru|en` in the current language. */
export function named<K extends string>(thing: InThree<K>, key: K): string {
  return thing[`${key}_${speech.language}`];
}
