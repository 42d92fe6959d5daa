/** Times and durations as people read them, without the Date object that the engine must not touch. */
import type { Millis } from './types.ts';

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

/** ISO 8601 in UTC, to the second; proleptic Gregorian calendar. */
export function formatInstant(at: Millis): string {
  const days = Math.floor(at / DAY_MS);
  const seconds = Math.floor((at - days * DAY_MS) / SECOND_MS);
  const time = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((n) => pad(Math.floor(n), 2)).join(':');
  const { year, month, day } = civilDate(days);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${time}Z`;
}

/** `90s`, `10m`, `2h5m`: the two largest units that are not zero. */
export function formatDuration(ms: number): string {
  const total = Math.round(ms / SECOND_MS);
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'm'],
    [total % 60, 's'],
  ];
  const shown = parts.filter(([n]) => n > 0).slice(0, 2);
  return shown.map(([n, unit]) => `${n}${unit}`).join('') || '0s';
}

/** Counts from 1 March of year 0, so that the leap day is the last of its year; 400 years are one full cycle. */
function civilDate(daysSinceEpoch: number): { year: number; month: number; day: number } {
  const shifted = daysSinceEpoch + 719_468;
  const cycle = Math.floor(shifted / 146_097);
  const dayOfCycle = shifted - cycle * 146_097;
  const yearOfCycle = Math.floor(
    (dayOfCycle - Math.floor(dayOfCycle / 1460) + Math.floor(dayOfCycle / 36_524) - Math.floor(dayOfCycle / 146_096)) / 365,
  );
  const dayOfYear = dayOfCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

function pad(n: number, digits: number): string {
  return String(n).padStart(digits, '0');
}
