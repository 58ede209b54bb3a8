import { limits } from './limits.ts';
import { parseUri } from './uri.ts';
import { targetOf } from './ways.ts';

/** What an application asks for with the verb `proxy` (protocol page §7). */
export interface ProxyOrder {
  /** Of the request that is to go on. */
  readonly transactionId: string;
  /** Later requests of the dialog come by us too: we record the route. */
  readonly remainInDialog: boolean;
  /** The application wants to see every final response. */
  readonly fullResponse: boolean;
  readonly followRedirects: boolean;
  /** All destinations at once, instead of one after the other. */
  readonly simultaneous: boolean;
  /** ms for the first response of a destination, and for its final one; undefined: as long as SIP allows. */
  readonly provisionalMs: number | undefined;
  readonly finalMs: number | undefined;
  /** SIP URIs, at least one. */
  readonly destinations: readonly string[];
}

const MOST_DESTINATIONS = 16;
const LONGEST_MS = 600_000;

/** Reads the tokens behind `proxy`. @returns what is wrong with them, in words, if something is */
export function parseProxyOrder(tokens: readonly string[]): ProxyOrder | string {
  const [transactionId = '', remain, full, follow, forking, provisional = '', final = '', ...rest] = tokens;
  // drachtio-srf knows no other schemes than sip and tel, and makes this of a sips URI.
  const destinations = rest.filter((text) => text !== '').map((text) => text.replace(/^sip:(?=sips:)/i, ''));
  if (transactionId === '' || destinations.length === 0) return 'not enough information provided';
  if (destinations.length > MOST_DESTINATIONS) {
    return `${destinations.length} destinations, ${MOST_DESTINATIONS} are allowed`;
  }
  const unusable = destinations.find((text) => !isDestination(text));
  if (unusable !== undefined) return `not a destination: ${unusable.slice(0, limits.uri)}`;
  const provisionalMs = parseTimeout(provisional);
  const finalMs = parseTimeout(final);
  if (provisionalMs === null || finalMs === null) {
    return `not a timeout such as 2s or 1500ms, up to ${LONGEST_MS / 1000}s: ${provisional}, ${final}`;
  }
  return {
    transactionId,
    remainInDialog: remain === 'remainInDialog',
    fullResponse: full === 'fullResponse',
    followRedirects: follow === 'followRedirects',
    simultaneous: forking === 'simultaneous',
    provisionalMs,
    finalMs,
    destinations,
  };
}

/** What can be a Request-URI (RFC 3261 §19.1.1) and says where to send. */
export const isDestination = (text: string): boolean =>
  targetOf(text) !== undefined && parseUri(text)?.headers === undefined;

/** `2s`, `1500ms`. @returns null when it is neither, or too long; undefined when nothing is said, or 0 */
function parseTimeout(text: string): number | null | undefined {
  if (text === '') return undefined;
  const [, digits, unit] = /^(\d{1,9})(ms|s)$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const ms = Number(digits) * (unit === 's' ? 1_000 : 1);
  return ms > LONGEST_MS ? null : ms || undefined;
}
