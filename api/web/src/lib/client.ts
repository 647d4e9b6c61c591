/** What a browser calls itself, in words a person knows. Only for showing: anybody may call himself anything. */

const BROWSERS: readonly [RegExp, string][] = [
  [/YaBrowser\//, 'Yandex Browser'],
  [/Edg(?:e|A|iOS)?\//, 'Edge'],
  [/OPR\/|Opera/, 'Opera'],
  [/SamsungBrowser\//, 'Samsung Internet'],
  [/Firefox\/|FxiOS\//, 'Firefox'],
  [/Chrome\/|CriOS\/|Chromium\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/Windows/, 'Windows'],
  [/Android/, 'Android'],
  [/iPhone|iPad|iPod/, 'iOS'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux|X11/, 'Linux'],
];

const first = (table: readonly [RegExp, string][], client: string): string | null =>
  table.find(([sign]) => sign.test(client))?.[1] ?? null;

export const browserOf = (client: string): string | null => first(BROWSERS, client);
export const systemOf = (client: string): string | null => first(SYSTEMS, client);
export const handheld = (client: string): boolean => /Mobi|Android|iPhone|iPad/.test(client);
