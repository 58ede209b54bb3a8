import { isIPv6 } from 'node:net';
import { limits } from './limits.ts';
import { alphanumeric, byteSet, digits, hexDigits, type Params, parseNumber, Scanner } from './scanner.ts';

/** A URI as the engine reads it. `sip` and `sips` are taken apart, `tel` into number and parameters, others stay opaque. */
export interface Uri {
  /** As written, never rewritten: escapes stay escaped. */
  readonly text: string;
  /** Lower case. */
  readonly scheme: string;
  /** User part, or the number of a `tel` URI. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Host name or address; an IPv6 reference keeps its brackets. '' in `tel` and opaque URIs. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  /** What stands after `?`, as written. */
  readonly headers: string | undefined;
}

const unreserved = byteSet("-_.!~*'()", alphanumeric);
/** `#` is not in the grammar, but PBXs dial it (`sip:*31#@…`); it cannot be mistaken for anything else. */
const userBytes = byteSet('%&=+$,;?/#', unreserved);
const passwordBytes = byteSet('%&=+$,', unreserved);
const parameterBytes = byteSet('%[]/:&+$', unreserved);
const headerBytes = byteSet('%[]/?:+$=&', unreserved);
/** `_` is not in the grammar, but container networks make such names. */
const hostBytes = byteSet('-._', alphanumeric);
const addressBytes = byteSet(':.', hexDigits);
const schemeBytes = byteSet('+-.', alphanumeric);
const telBytes = byteSet('+-.()*#ABCDabcd', digits);
/** Whatever may stand in an absolute URI (RFC 3986), without white space, quotes and angle brackets. */
const opaqueBytes = byteSet("%-_.!~*'()&=+$,;?/:@#[]", alphanumeric);

/** RFC 3261 §19.1, RFC 3966. @returns undefined when it does not parse or is over the cap */
export function parseUri(text: string): Uri | undefined {
  if (text.length > limits.uri || !escapesAreWhole(text)) return undefined;
  const scanner = new Scanner(text);
  const scheme = scanner.take(schemeBytes).toLowerCase();
  if (scheme === '' || !scanner.eat(':') || scanner.done) return undefined;
  if (scheme === 'sip' || scheme === 'sips') return takeSipUri(scanner, scheme);
  if (scheme === 'tel') return takeTelUri(scanner);
  scanner.take(opaqueBytes);
  return scanner.done ? uri(text, scheme, {}) : undefined;
}

function uri(text: string, scheme: string, parts: Partial<Uri>): Uri {
  const { user, password, host = '', port, params = new Map(), headers } = parts;
  return { text, scheme, user, password, host, port, params, headers };
}

function takeSipUri(scanner: Scanner, scheme: string): Uri | undefined {
  let user: string | undefined;
  let password: string | undefined;
  // `@` stands nowhere else in a SIP URI, so one look tells whether there is a user part.
  if (scanner.text.includes('@')) {
    user = scanner.take(userBytes);
    if (scanner.eat(':')) password = scanner.take(passwordBytes);
    if (user === '' || !scanner.eat('@')) return undefined;
  }
  const hostPort = takeHostPort(scanner);
  if (!hostPort) return undefined;
  const params = takeUriParams(scanner);
  const headers = scanner.eat('?') ? scanner.take(headerBytes) : undefined;
  if (!params || headers === '' || !scanner.done) return undefined;
  return uri(scanner.text, scheme, { user, password, ...hostPort, params, headers });
}

function takeTelUri(scanner: Scanner): Uri | undefined {
  const user = scanner.take(telBytes);
  const params = takeUriParams(scanner);
  return user !== '' && params && scanner.done ? uri(scanner.text, 'tel', { user, params }) : undefined;
}

function takeUriParams(scanner: Scanner): Params | undefined {
  const params: Params = new Map();
  while (scanner.eat(';')) {
    const name = scanner.take(parameterBytes).toLowerCase();
    const value = scanner.eat('=') ? scanner.take(parameterBytes) : null;
    if (name === '' || value === '') return undefined;
    // Phones that are told a transport twice say so twice; only a contradiction cannot be read.
    if (params.has(name) && params.get(name) !== value) return undefined;
    params.set(name, value);
  }
  return params;
}

/** `hostport`: a name, an IPv4 address or an IPv6 reference in brackets, and a port from 1 to 65535. */
export function takeHostPort(
  scanner: Scanner,
  spaces = false,
): { host: string; port: number | undefined } | undefined {
  const host = takeHost(scanner);
  if (!host) return undefined;
  if (spaces) scanner.skipSpace();
  if (!scanner.eat(':')) return { host, port: undefined };
  if (spaces) scanner.skipSpace();
  const port = parseNumber(scanner.take(digits), 65_535);
  return port ? { host, port } : undefined;
}

function takeHost(scanner: Scanner): string | undefined {
  if (!scanner.eat('[')) return scanner.take(hostBytes) || undefined;
  // The grammar of RFC 3261 allows a third colon by mistake; RFC 5118 §4.10 asks to tolerate it.
  const address = scanner.take(addressBytes).replace(':::', '::');
  return scanner.eat(']') && isIPv6(address) ? `[${address}]` : undefined;
}

/** Whether every `%` is followed by two hexadecimal digits. */
function escapesAreWhole(text: string): boolean {
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
    if (!hexDigits[text.charCodeAt(at + 1)] || !hexDigits[text.charCodeAt(at + 2)]) return false;
  }
  return true;
}
