import { type DestinationStream, type Logger, pino } from 'pino';
import { maskLine } from './log-mask.ts';

export type Log = Logger;

export interface LogOptions {
  /** Phone numbers are not masked. */
  showNumbers?: boolean;
  /** Where lines go; standard output when absent. */
  destination?: DestinationStream;
}

/**
 * One JSON line per event. What belongs to a call names it by `session`, `leg` and `call_id`. No secrets, no audio, no text
 * of what was said.
 */
export function createLog(level: string, { showNumbers = false, destination }: LogOptions = {}): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: ['*.password', '*.secret', '*.token', '*.authorization'], censor: '[hidden]' },
    hooks: { streamWrite: (line: string) => maskLine(line, showNumbers) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
