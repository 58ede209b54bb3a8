import { consistsOf, digits, formatParams, type Params, Scanner, takeParams, tokenBytes } from './scanner.ts';
import { takeHostPort } from './uri.ts';

/** One value of a Via header (RFC 3261 §20.42). */
export interface Via {
  /** Upper case: UDP, TCP, TLS, ... */
  transport: string;
  /** sent-by host; an IPv6 reference keeps its brackets. */
  host: string;
  /** sent-by port, undefined when not written. */
  port: number | undefined;
  /** branch, received, rport (null in a request that asks for it), maddr, ttl, and whatever else came. */
  params: Params;
}

/** @returns undefined when `text` is not exactly one Via value */
export function parseVia(text: string): Via | undefined {
  const scanner = new Scanner(text);
  const start = takeProtocolAndSentBy(scanner);
  const params = start && takeParams(scanner);
  return start && params && scanner.done ? { ...start, params } : undefined;
}

/** Whether at least the part in front of the parameters can be read: such a Via can stand in an answer. */
export const beginsAsVia = (text: string): boolean => takeProtocolAndSentBy(new Scanner(text)) !== undefined;

function takeProtocolAndSentBy(scanner: Scanner): Omit<Via, 'params'> | undefined {
  scanner.skipSpace();
  if (scanner.take(tokenBytes).toUpperCase() !== 'SIP' || !takeSlash(scanner)) return undefined;
  if (!isVersion(scanner.take(tokenBytes)) || !takeSlash(scanner)) return undefined;
  const transport = scanner.take(tokenBytes).toUpperCase();
  const end = scanner.at;
  scanner.skipSpace();
  if (transport === '' || scanner.at === end) return undefined;
  const sentBy = takeHostPort(scanner, true);
  return sentBy && { transport, ...sentBy };
}

export function formatVia(via: Via): string {
  const port = via.port === undefined ? '' : `:${via.port}`;
  return `SIP/2.0/${via.transport} ${via.host}${port}${formatParams(via.params)}`;
}

/** Any SIP version: the answer to a request of another version (505) needs its Via. */
function isVersion(text: string): boolean {
  const [major = '', minor = '', ...more] = text.split('.');
  return more.length === 0 && consistsOf(major, digits) && consistsOf(minor, digits);
}

function takeSlash(scanner: Scanner): boolean {
  scanner.skipSpace();
  const found = scanner.eat('/');
  scanner.skipSpace();
  return found;
}
