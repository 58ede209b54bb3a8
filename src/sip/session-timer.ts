import { headerList } from './header-values.ts';
import type { SipAnswer, SipRequest } from './srf-port.ts';

/**
 * Session timers (RFC 4028) as far as they are negotiated when a call is set up: how long a session lasts without a refresh,
 * and who refreshes it. The engine reads it from the 2xx, refreshes or ends the call, and refuses too short intervals inside
 * of dialogs.
 */
export interface SessionTimerSettings {
  /** The interval for a peer that names none, and the longest that is agreed to. */
  expiresSeconds: number;
  /** The shortest that a peer may ask for. */
  minSeconds: number;
}

/** The shortest interval that there is (RFC 4028 §4); Min-SE says nothing new below it. */
const LEAST_SECONDS = 90;

/** What an INVITE of ours asks for; who refreshes is the peer's to say (RFC 4028 §7.1). */
export function timerWish({ expiresSeconds, minSeconds }: SessionTimerSettings): Record<string, string> {
  const wish = { 'Session-Expires': String(expiresSeconds) };
  return minSeconds > LEAST_SECONDS ? { ...wish, 'Min-SE': String(minSeconds) } : wish;
}

/**
 * What the INVITE asks for once more after a 422 (RFC 4028 §7.3).
 * @param headers of the INVITE that was refused
 * @returns undefined when the answer wants no longer interval than that
 */
export function longerWish(
  headers: Readonly<Record<string, string>>,
  answer: Pick<SipAnswer, 'get'>,
): Record<string, string> | undefined {
  const [asked, least] = [secondsOf(headers['Session-Expires']), secondsOf(answer.get('Min-SE'))];
  if (asked === undefined || least === undefined || least <= asked) return undefined;
  return timerWish({ expiresSeconds: least, minSeconds: least });
}

/** Min-SE for the 422 to an INVITE that asks for too short an interval, and knows what that means (RFC 4028 §9). */
export function tooShortInterval(
  request: SipRequest,
  { minSeconds }: SessionTimerSettings,
): Record<string, string> | undefined {
  const { seconds } = askedFor(request);
  if (seconds === undefined || seconds >= minSeconds || !knowsTimers(request)) return undefined;
  return { 'Min-SE': String(minSeconds) };
}

/**
 * What the 2xx to an INVITE, re-INVITE or UPDATE says (RFC 4028 §9, table 2). The peer refreshes if it can, unless it
 * wants us to; a peer that cannot, behind a proxy that asks for a timer, is refreshed by us.
 */
export function sessionTimer(
  request: SipRequest,
  { expiresSeconds, minSeconds }: SessionTimerSettings,
): Record<string, string> {
  const asked = askedFor(request);
  const known = knowsTimers(request);
  if (asked.seconds === undefined && !known) return {};
  const least = Math.max(minSeconds, secondsOf(request.get('Min-SE')) ?? 0);
  const seconds = Math.max(least, Math.min(asked.seconds ?? expiresSeconds, expiresSeconds));
  const refresher = known ? (asked.refresher ?? 'uac') : 'uas';
  const expires = { 'Session-Expires': `${seconds};refresher=${refresher}` };
  return known ? { ...expires, Require: 'timer' } : expires;
}

function askedFor(request: SipRequest): { seconds: number | undefined; refresher: string | undefined } {
  // Its compact form is none to drachtio-srf; the embedded engine writes names in full.
  const value = request.get('Session-Expires') ?? request.get('x') ?? '';
  const refresher = /;\s*refresher\s*=\s*(uac|uas)\s*(?:;|$)/i.exec(value)?.[1]?.toLowerCase();
  return { seconds: secondsOf(value), refresher };
}

const knowsTimers = (request: SipRequest): boolean =>
  ['Supported', 'Require'].some((name) =>
    headerList(request.get(name)).some((tag) => tag.toLowerCase() === 'timer'),
  );

/** Seconds at the beginning of a value, of at most a day; undefined when there are none. */
function secondsOf(value: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,10})\s*(?:;|$)/.exec(value ?? '')?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), 86_400);
}
