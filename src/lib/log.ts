import { destination, pino } from 'pino';
import type { Logger } from 'pino';

/** Structured logs on stderr, written at once so that the last lines before a crash are not lost. */
export function createLog(component: string, fields: object = {}): Logger {
  return pino(
    { base: { component, ...fields }, level: process.env['BIGFLEET_LOG_LEVEL'] ?? 'info', timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    destination({ fd: 2, sync: true }),
  );
}
