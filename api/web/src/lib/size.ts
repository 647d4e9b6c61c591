/** Sizes of files as people read them. */
const UNITS = ['kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

/** The language by whose rules numbers are written: Kazakh ones as Russian ones, for not every browser knows how. */
export function numeralsOf(language: string): string {
  return language === 'kk' ? 'ru' : language;
}

/** `bytes` in the largest unit of which there is one, with one place behind the point below ten. */
export function sizeOf(bytes: number, language: string): string {
  let [value, unit] = [bytes / 1000, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(numeralsOf(language), {
    style: 'unit',
    unit: UNITS[unit],
    maximumFractionDigits: digits,
  }).format(value);
}
