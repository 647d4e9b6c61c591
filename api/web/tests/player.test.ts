import { describe, expect, it } from 'vitest';
import { share } from '../src/lib/level';
import { placeOf, safeReturn } from '../src/lib/router.svelte';
import { byHearing, playerAt } from '../src/lib/hits';
import { bytes, folded, marked } from '../src/lib/text';
import { withMore } from '../src/lib/draft.svelte';
import { withNews } from '../src/lib/rooms.svelte';
import type { Room, SearchHit, Utterance } from '../src/lib/types';
import { deedOf } from '../src/player/keys';
import { findIn, soundingAt, wordsCovered } from '../src/player/spoken';

function utterance(id: string, start_ms: number, end_ms: number, text = ''): Utterance {
  const spoken = text.split(' ').filter(Boolean);
  const step = (end_ms - start_ms) / Math.max(1, spoken.length);
  const words = spoken.map((word, k) => ({
    text: word,
    start_ms: start_ms + k * step,
    end_ms: start_ms + (k + 1) * step,
    probability: 0.9,
  }));
  const role = { role_kk: 'Куә', role_ru: 'Свидетель', role_en: 'Witness' };
  return {
    id,
    seq: 0,
    since: 0,
    confirmed: false,
    start_ms,
    end_ms,
    channel: 'witness',
    language: 'ru',
    text,
    words,
    flags: [],
    language_confidence: null,
    ...role,
  };
}

describe('the spoken place', () => {
  const said = [
    utterance('a', 1000, 3000, 'прошу всех садиться'),
    utterance('b', 2500, 4000, 'возражаю'),
    utterance('c', 9000, 9500),
  ];

  it('names utterance and word', () => {
    expect(soundingAt(said, 1100)).toEqual([{ index: 0, word: 0 }]);
    expect(soundingAt(said, 1700)).toEqual([{ index: 0, word: 1 }]);
    expect(soundingAt(said, 9100)).toEqual([{ index: 2, word: -1 }]);
  });

  it('names all who speak at once', () => {
    expect(soundingAt(said, 2600).map(({ index }) => index)).toEqual([0, 1]);
  });

  it('is nowhere in silence', () => {
    expect(soundingAt(said, 0)).toEqual([]);
    expect(soundingAt(said, 6000)).toEqual([]);
  });
});

describe('finding in the text', () => {
  const said = [
    utterance('a', 0, 1, 'Судебное заседание объявляется'),
    utterance('b', 1, 2, 'Жауапкер келді ме'),
    utterance('c', 2, 3, 'Ещё заседание'),
  ];

  it('ignores case and ё', () => {
    expect(findIn(said, 'заседание')).toEqual([0, 2]);
    expect(findIn(said, 'ЖАУАПКЕР')).toEqual([1]);
    expect(findIn(said, 'еще')).toEqual([2]);
    expect(folded('Ё Ұ')).toBe('е ұ');
  });

  it('waits for two letters', () => {
    expect(findIn(said, 'з')).toEqual([]);
    expect(findIn(said, '  ')).toEqual([]);
  });

  it('marks the words that a phrase covers', () => {
    expect([...wordsCovered(said[0]!.words, 'ное засед')]).toEqual([0, 1]);
    expect([...wordsCovered(said[0]!.words, 'нет такого')]).toEqual([]);
  });
});

describe('highlights of a hit', () => {
  it('cut the text at character offsets', () => {
    expect(marked('Уважаемый суд!', [[10, 13]])).toEqual([
      { text: 'Уважаемый ', marked: false },
      { text: 'суд', marked: true },
      { text: '!', marked: false },
    ]);
  });

  it('count characters as the server does, not UTF-16 units', () => {
    expect(marked('😀 сот', [[2, 5]])[1]).toEqual({ text: 'сот', marked: true });
  });

  it('bear disorder, overlap and offsets beyond the end', () => {
    const parts = marked('абвгд', [
      [3, 99],
      [0, 2],
      [1, 3],
    ]);
    expect(parts.map(({ text }) => text).join('')).toBe('абвгд');
    expect(parts.every(({ marked: isMarked }) => isMarked)).toBe(true);
    expect(marked('', [[0, 1]])).toEqual([]);
  });

  it('are grouped by hearing in the order found, and open at the word', () => {
    const hit = (hearing: string, start_ms: number, word_start_ms: number | null) =>
      ({
        hearing,
        recording: `r-${hearing}`,
        utterance: `${start_ms}`,
        start_ms,
        word_start_ms,
      }) as SearchHit;
    const groups = byHearing([hit('b', 1, null), hit('a', 2, 5), hit('b', 3, 4)]);
    expect(groups.map((group) => [group.hearing, group.hits.length])).toEqual([
      ['b', 2],
      ['a', 1],
    ]);
    expect(playerAt(hit('a', 2, 5))).toBe('/recordings/r-a?t=5');
    expect(playerAt(hit('a', 2, null))).toBe('/recordings/r-a?t=2');
  });
});

describe('keys', () => {
  const press = (code: string, key: string, more = {}) =>
    deedOf({ code, key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

  it('go by place, so that they work in the Russian and Kazakh layouts', () => {
    expect(press('KeyK', 'л')).toEqual({ do: 'toggle' });
    expect(press('KeyJ', 'о')).toEqual({ do: 'step', s: -10 });
    expect(press('Digit2', 'ә')).toEqual({ do: 'solo', number: 2 });
    expect(press('BracketRight', 'ъ')).toEqual({ do: 'speed', by: 1 });
  });

  it('know the help by its sign and by its place', () => {
    expect(press('Slash', '?', { shiftKey: true })).toEqual({ do: 'help' });
    expect(press('Digit7', '?', { shiftKey: true })).toEqual({ do: 'help' });
    expect(press('Slash', '/')).toEqual({ do: 'find' });
  });

  it('leave the browser its own', () => {
    expect(press('KeyL', 'l', { ctrlKey: true })).toBeNull();
    expect(press('KeyM', 'M', { shiftKey: true })).toBeNull();
    expect(press('Tab', 'Tab')).toBeNull();
  });
});

describe('addresses', () => {
  it('name pages', () => {
    expect(placeOf('/')).toEqual({ page: 'hearings' });
    expect(placeOf('/recordings/20270314-101403-ab12cd34')).toEqual({
      page: 'recording',
      id: '20270314-101403-ab12cd34',
    });
    expect(placeOf('/rooms/7f')).toEqual({ page: 'room', id: '7f' });
    expect(placeOf('/sign-in/return')).toEqual({ page: 'signin' });
    expect(placeOf('/recordings')).toEqual({ page: 'missing' });
    expect(placeOf('/rooms/a/b')).toEqual({ page: 'missing' });
  });

  it('return only to this application', () => {
    expect(safeReturn('/recordings/x?t=5')).toBe('/recordings/x?t=5');
    for (const bad of [
      null,
      '',
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/sign-in?next=/',
    ]) {
      expect(safeReturn(bad)).toBe('/');
    }
  });
});

describe('levels, amounts and news', () => {
  it('fill a meter from −60 dB to full scale', () => {
    expect([-90, -60, -30, 0, 3, Number.NEGATIVE_INFINITY, Number.NaN].map(share)).toEqual([
      0, 0, 0.5, 1, 1, 0, 0,
    ]);
  });

  it('say disk space in round numbers', () => {
    expect(bytes(61_400_000_000, 'ГБ')).toBe('61 ГБ');
    expect(bytes(2_340_000_000, 'ГБ')).toBe('2.3 ГБ');
  });

  it('put news of a room in its place', () => {
    const room = (id: string, recording: string | null = null) => ({ courtroom: { id }, recording }) as Room;
    const fresh = withNews([room('a'), room('b')], [room('b', 'r1'), room('c')]);
    expect(fresh.map((r) => [r.courtroom.id, r.recording])).toEqual([
      ['a', null],
      ['b', 'r1'],
      ['c', null],
    ]);
    expect(withNews([room('a')], room('a', 'r2'))).toHaveLength(1);
  });

  it('replace a draft utterance by its newer version, in order of speech', () => {
    const known = [utterance('a', 10, 20, 'было'), utterance('c', 50, 60)];
    const all = withMore(known, [utterance('b', 30, 40), utterance('a', 10, 22, 'стало')]);
    expect(all.map(({ id, text }) => [id, text])).toEqual([
      ['a', 'стало'],
      ['b', ''],
      ['c', ''],
    ]);
  });
});
