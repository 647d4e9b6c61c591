import { describe, expect, it } from 'vitest';
import { en as consoleEn } from '../src/messages/console/en';
import { kk as consoleKk } from '../src/messages/console/kk';
import { ru as consoleRu } from '../src/messages/console/ru';
import { en } from '../src/messages/en';
import { kk } from '../src/messages/kk';
import { ru } from '../src/messages/ru';
import { en as countsEn } from '../src/messages/statistics/en';
import { kk as countsKk } from '../src/messages/statistics/kk';
import { ru as countsRu } from '../src/messages/statistics/ru';

/** What functions are asked with: nothing that a text would say by itself. */
const SAMPLES = ['⟨1⟩', '⟨2⟩', '⟨3⟩', '⟨4⟩'];

/** Same in two languages because they are the same word, sign or name. */
const SHARED = new Set([
  'product',
  'seconds',
  'minutes',
  'gigabytes',
  'disk',
  'camera',
  'judge',
  'transcript',
  'pausePassed',
  'copies.camera',
  'enter.unknownBrowser',
  'console.checkWhat.channel',
  'statistics',
  'counts.title',
  'counts.ninth',
]);
const sharedUnder = (path: string): boolean =>
  SHARED.has(path) || /^(languageTag|roleOf|participantRole)\./.test(path);

/** Every text of a table by its path; functions are asked with sample values. */
function texts(table: object, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(table)) {
    const here = path ? `${path}.${key}` : key;
    if (typeof value === 'string') found.set(here, value);
    else if (typeof value === 'function')
      found.set(here, String((value as (...args: unknown[]) => string)(...SAMPLES)));
    else for (const [inner, text] of texts(value as object, here)) found.set(inner, text);
  }
  return found;
}

const tables = {
  kk: texts({ ...kk, console: consoleKk, counts: countsKk }),
  ru: texts({ ...ru, console: consoleRu, counts: countsRu }),
  en: texts({ ...en, console: consoleEn, counts: countsEn }),
};

describe('the words of the interface', () => {
  it('are the same set in every language, also at run time', () => {
    expect([...tables.kk.keys()]).toEqual([...tables.ru.keys()]);
    expect([...tables.en.keys()]).toEqual([...tables.ru.keys()]);
  });

  it.each(['kk', 'ru', 'en'] as const)('are never empty in %s', (language) => {
    const empty = [...tables[language]].filter(([, text]) => !text.trim() || text.includes('undefined'));
    expect(empty).toEqual([]);
  });

  it('use every parameter in every language', () => {
    const used = (words: string | undefined): string[] => SAMPLES.filter((sample) => words?.includes(sample));
    for (const [path, text] of tables.ru) {
      expect([path, used(tables.kk.get(path))]).toEqual([path, used(text)]);
      expect([path, used(tables.en.get(path))]).toEqual([path, used(text)]);
    }
  });

  it('are translated: Kazakh is not a copy of Russian, nor English of either', () => {
    const copied = [...tables.ru].filter(
      ([path, text]) => !sharedUnder(path) && (tables.kk.get(path) === text || tables.en.get(path) === text),
    );
    expect(copied).toEqual([]);
  });

  it('keep Cyrillic out of English, but for the language tags', () => {
    const mixed = [...tables.en].filter(
      ([path, text]) => !path.startsWith('languageTag') && /\p{Script=Cyrillic}/u.test(text),
    );
    expect(mixed).toEqual([]);
  });
});
