import { dtmfDigits, type KeyPress } from '../dtmf.ts';
import { Refusal } from '../errors.ts';

/**
 * Key presses in SIP INFO, which no RFC describes: `application/dtmf-relay` with `Signal=5` and `Duration=160` (ms) on
 * lines of their own, and `application/dtmf` with the digit alone. Peers write `*`, `#` and A to D as they are or by
 * their codes, 10 to 15; 16 is the hook flash.
 */
export const dtmfTypes = ['application/dtmf-relay', 'application/dtmf'];

const BODY_MOST = 256;
const FLASH = 16;
/** Where a body does not tell, and the longest that is believed. */
const DURATION_MS = 160;
const DURATION_MOST_MS = 60_000;

/**
 * @param type of `dtmfTypes`
 * @returns undefined for the hook flash, which is no digit
 * @throws Refusal `dtmf_invalid`; its words never hold the digit
 */
export function readDtmf(type: string, body: string): KeyPress | undefined {
  if (body.length > BODY_MOST) throw new Refusal('dtmf_invalid', `more than ${BODY_MOST} characters`);
  const relay = type === 'application/dtmf-relay';
  const signal = relay ? field(body, 'signal') : body.trim();
  if (signal === undefined) throw new Refusal('dtmf_invalid', 'no Signal=');
  if (signal === String(FLASH) || signal === '!') return undefined;
  const digit = /^1[0-5]$/.test(signal) ? dtmfDigits[Number(signal)] : signal.toUpperCase();
  if (digit?.length !== 1 || !dtmfDigits.includes(digit)) {
    throw new Refusal('dtmf_invalid', 'the signal is none of 0 to 9, *, #, A to D');
  }
  return { digit, durationMs: durationOf(relay ? field(body, 'duration') : undefined), method: 'info' };
}

/** What we send. @param durationMs whole ms */
export const dtmfRelay = (digit: string, durationMs: number): { type: string; body: string } => ({
  type: 'application/dtmf-relay',
  body: `Signal=${digit}\r\nDuration=${durationMs}\r\n`,
});

function durationOf(text: string | undefined): number {
  if (text === undefined || text === '') return DURATION_MS;
  if (!/^\d{1,6}$/.test(text)) throw new Refusal('dtmf_invalid', 'Duration= is not a number of ms');
  return Math.min(Number(text), DURATION_MOST_MS);
}

/** The first line `name = value`, in any spelling. */
function field(body: string, name: string): string | undefined {
  for (const line of body.split(/\r\n|\r|\n/)) {
    const at = line.indexOf('=');
    if (at >= 0 && line.slice(0, at).trim().toLowerCase() === name) return line.slice(at + 1).trim();
  }
  return undefined;
}
