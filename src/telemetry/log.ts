import { type Logger, pino } from 'pino';

export type Log = Logger;

/** One JSON line per event on standard output; secrets never pass (headers and tokens are named here once). */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['*.password', '*.secret', '*.token', '*.authorization'], censor: '[hidden]' },
  });
}
