import type { Language } from '../../lib/types';
import { speech } from '../index.svelte';
import { en } from './en';
import { kk } from './kk';
import { ru, type Words } from './ru';

const TABLES: Record<Language, Words> = { kk, ru, en };

/** The page's words in the current language. */
export function tally(): Words {
  return TABLES[speech.language];
}
