import { type HeaderField, header, headersOf, type SipMessage } from './message.ts';
import { digits, parseNumber, Scanner, takeParams } from './scanner.ts';

/** What Session-Expires says (RFC 4028 §4). */
export interface SessionExpires {
  seconds: number;
  /** Who refreshes: the sender of the request that this was negotiated by, or its receiver. */
  refresher: 'uac' | 'uas' | undefined;
}

/** No session interval is shorter (RFC 4028 §4), and this is what an absent Min-SE means (§5). */
export const LEAST_SESSION_SECONDS = 90;
const MOST_SECONDS = 2 ** 31 - 1;

/** @returns undefined when the header is absent or does not parse */
export function sessionExpiresOf(message: SipMessage): SessionExpires | undefined {
  const scanner = new Scanner(header(message, 'Session-Expires') ?? '');
  scanner.skipSpace();
  const seconds = parseNumber(scanner.take(digits), MOST_SECONDS);
  const params = takeParams(scanner);
  if (seconds === undefined || params === undefined || !scanner.done) return undefined;
  const refresher = params.get('refresher')?.toLowerCase();
  return { seconds, refresher: refresher === 'uac' || refresher === 'uas' ? refresher : undefined };
}

/** Seconds of Min-SE (RFC 4028 §5), 0 when it is absent or does not parse. */
export function minSessionOf(message: SipMessage): number {
  const scanner = new Scanner(header(message, 'Min-SE') ?? '');
  scanner.skipSpace();
  return parseNumber(scanner.take(digits), MOST_SECONDS) ?? 0;
}

/** Whether the sender of a request knows session timers. */
export const supportsTimer = (request: SipMessage): boolean =>
  ['Supported', 'Require'].some((name) =>
    headersOf(request, name).some((tag) => tag.toLowerCase() === 'timer'),
  );

/** What a request of ours in a dialog with a session timer says of it (RFC 4028 §7.4). */
export function timerHeaders(seconds: number, minSeconds: number, weRefresh: boolean): HeaderField[] {
  const headers = [
    { name: 'Supported', value: 'timer' },
    { name: 'Session-Expires', value: `${seconds};refresher=${weRefresh ? 'uac' : 'uas'}` },
  ];
  if (minSeconds > LEAST_SESSION_SECONDS) headers.push({ name: 'Min-SE', value: String(minSeconds) });
  return headers;
}
