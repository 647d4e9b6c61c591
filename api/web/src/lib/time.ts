/**
 * Wall clock in court time (Asia/Almaty) and elapsed time, as text in the three languages.
 *
 * Month names are our own: browsers differ in their Kazakh data.
 */
import type { Language } from './types';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Kazakhstan went to UTC+5 on 2024-03-01 00:00; Almaty had been at UTC+6 since 2004. */
const ONE_ZONE_UTC_MS = Date.UTC(2024, 1, 29, 18);

const zone = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Asia/Almaty',
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

function browserOffset_ms(utc_ms: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of zone.formatToParts(utc_ms)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(utc_ms / 1000) * 1000;
}

/** A browser from before 2024 (the last for Windows 7 and 8) still says UTC+6. */
const browserIsOld = browserOffset_ms(Date.UTC(2024, 5, 1)) !== 5 * HOUR_MS;

function offset_ms(utc_ms: number): number {
  return browserIsOld && utc_ms >= ONE_ZONE_UTC_MS ? 5 * HOUR_MS : browserOffset_ms(utc_ms);
}

/** A Date whose UTC fields are Almaty's wall clock. */
function inCourt(utc: string | number): Date {
  const utc_ms = typeof utc === 'number' ? utc : Date.parse(utc);
  return new Date(utc_ms + offset_ms(utc_ms));
}

const two = (n: number): string => String(n).padStart(2, '0');

/** `10:42` */
export function clock(utc: string | number): string {
  const at = inCourt(utc);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

/** `10:42:17` */
export function clockWithSeconds(utc: string | number): string {
  return `${clock(utc)}:${two(inCourt(utc).getUTCSeconds())}`;
}

/** `14.03.2027` */
export function shortDate(utc: string | number): string {
  const at = inCourt(utc);
  return `${two(at.getUTCDate())}.${two(at.getUTCMonth() + 1)}.${at.getUTCFullYear()}`;
}

const MONTHS: Record<Language, readonly string[]> = {
  kk: 'қаңтар ақпан наурыз сәуір мамыр маусым шілде тамыз қыркүйек қазан қараша желтоқсан'.split(' '),
  ru: 'января февраля марта апреля мая июня июля августа сентября октября ноября декабря'.split(' '),
  en: 'January February March April May June July August September October November December'.split(' '),
};
const WEEKDAYS: Record<Language, readonly string[]> = {
  kk: 'жексенбі дүйсенбі сейсенбі сәрсенбі бейсенбі жұма сенбі'.split(' '),
  ru: 'воскресенье понедельник вторник среда четверг пятница суббота'.split(' '),
  en: 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' '),
};

/** `2027 жылғы 14 наурыз` / `14 марта 2027 г.` / `14 March 2027` */
export function longDate(utc: string | number, language: Language): string {
  const at = inCourt(utc);
  const day = at.getUTCDate();
  const month = MONTHS[language][at.getUTCMonth()];
  const year = at.getUTCFullYear();
  if (language === 'kk') return `${year} жылғы ${day} ${month}`;
  return language === 'ru' ? `${day} ${month} ${year} г.` : `${day} ${month} ${year}`;
}

/** The long date and its weekday. */
export function dayName(utc: string | number, language: Language): string {
  return `${longDate(utc, language)}, ${WEEKDAYS[language][inCourt(utc).getUTCDay()]}`;
}

/** `2027-03-14`: which court day a moment belongs to. */
export function dayKey(utc: string | number): string {
  return inCourt(utc).toISOString().slice(0, 10);
}

/** Midnight to midnight of the court day that `utc_ms` lies in, as ISO UTC. */
export function courtDay(utc_ms: number): { from: string; to: string } {
  const local = inCourt(utc_ms).getTime();
  const midnight = local - (local % DAY_MS);
  const guess = midnight - offset_ms(utc_ms);
  const start = midnight - offset_ms(guess);
  return { from: new Date(start).toISOString(), to: new Date(start + DAY_MS).toISOString() };
}

/** `00:31:05`: whole seconds, cut, hours always shown. */
export function elapsed(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** The other way round: milliseconds of `1:03:12`, `3:12` or `12`; null for nothing, undefined for what is none. */
export function fromElapsed(text: string): number | null | undefined {
  if (!text.trim()) return null;
  const parts = text.trim().split(':');
  if (parts.length > 3 || !parts.every((part) => /^\d{1,3}$/.test(part))) return undefined;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000;
}

/** `3:12`, or `1:03:12` from an hour on. */
export function shortElapsed(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const tail = `${two(s % 60)}`;
  return s < 3600
    ? `${Math.floor(s / 60)}:${tail}`
    : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${tail}`;
}

/** `10:14:03–10:14:09` */
export function clockSpan(from_ms: number, to_ms: number): string {
  return `${clockWithSeconds(from_ms)}–${clockWithSeconds(to_ms)}`;
}

interface Units {
  hours: string;
  minutes: string;
  seconds: string;
}

/** `2 ч 05 мин`, `42 мин`, `18 с` with the language's own short units. */
export function lasting(ms: number, units: Units): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} ${units.seconds}`;
  const minutes = Math.floor(ms / MINUTE_MS);
  if (minutes < 60) return `${minutes} ${units.minutes}`;
  return `${Math.floor(minutes / 60)} ${units.hours} ${two(minutes % 60)} ${units.minutes}`;
}
