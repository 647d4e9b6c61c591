/** The words of the console; a table of their own, so that the other pages need not load them. */
import type { Language } from '../../lib/types';
import { speech } from '../index.svelte';
import { en } from './en';
import { kk } from './kk';
import { ru, type ConsoleMessages } from './ru';

const TABLES: Record<Language, ConsoleMessages> = { kk, ru, en };

/** The current language's words; reading them in a component makes it follow the language. */
export function tell(): ConsoleMessages {
  return TABLES[speech.language];
}
