import { describe, expect, it } from 'vitest';
import { sizeOf } from '../src/lib/size';

describe('sizeOf', () => {
  it.each([
    [0, '0 kB'],
    [73_524, '74 kB'],
    [999_999, '1,000 kB'],
    [2_728_613, '2.7 MB'],
    [14_000_000_000, '14 GB'],
    [9_400_000_000_000, '9.4 TB'],
  ])('%i bytes', (bytes, said) => {
    expect(sizeOf(bytes, 'en').replace(/\s/g, ' ')).toBe(said);
  });

  it('is said in the language of the page', () => {
    expect(sizeOf(2_728_613, 'ru').replace(/\s/g, ' ')).toBe('2,7 МБ');
  });
});
