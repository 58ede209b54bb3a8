import { randomBytes } from 'node:crypto';
import { type SrtpSuite, srtpSuites } from '../srtp.ts';

/**
 * The keys in SDP: which of a peer's `a=crypto` can be used, and our own. Source: RFC 4568 §5.1, §6, §9.1; decisions §5.
 * A lifetime is not kept to: no call sends 2^48 packets. A master key identifier is, and is then in each of the peer's
 * packets. Several keys in one attribute, and session parameters that change what a packet looks like, make it unusable.
 */

/** One `a=crypto` that can be used. */
export interface Crypto {
  tag: number;
  suite: SrtpSuite;
  /** Master key and salt, base64. */
  key: string;
  /** Master key identifier, hex; empty = none. */
  mki: string;
}

const suites: ReadonlyMap<string, SrtpSuite> = new Map(
  (Object.keys(srtpSuites) as SrtpSuite[]).map((suite) => [suite, suite]),
);

/** @param values of a line's `a=crypto:`, as written @returns those that can be used, in the peer's order */
export const usableCrypto = (values: readonly string[]): Crypto[] =>
  values.flatMap((value) => readCrypto(value) ?? []);

/** The suites that a peer named, made fit for a header or a log line; their keys are not shown. */
export function suitesOf(values: readonly string[]): string {
  const names = values.map((value) => /^\d{1,9} +([A-Za-z0-9_]{1,40})/.exec(value)?.[1] ?? '?');
  return [...new Set(names)].slice(0, 12).join(', ') || 'none';
}

/** The values of our `a=crypto:` for an offer of all suites. */
export const ownCrypto = (keys: LocalKeys): Crypto[] =>
  [...suites.values()].map((suite, index) => ({ tag: index + 1, suite, key: keys.of(suite), mki: '' }));

/** Our master keys of a leg: one per suite, the same through all its re-INVITEs. */
export class LocalKeys {
  readonly #keys = new Map<SrtpSuite, string>();

  of(suite: SrtpSuite): string {
    const known = this.#keys.get(suite);
    if (known !== undefined) return known;
    const { keyBytes, saltBytes } = srtpSuites[suite];
    const made = randomBytes(keyBytes + saltBytes).toString('base64');
    this.#keys.set(suite, made);
    return made;
  }
}

function readCrypto(value: string): Crypto | undefined {
  const match = /^(\d{1,9}) +(\S+) +inline:(\S+)((?: +\S+)*) *$/i.exec(value);
  if (match === null) return undefined;
  const [, tag, name = '', keyParameters = '', sessionParameters = ''] = match;
  const suite = suites.get(name.toUpperCase());
  if (suite === undefined || !sessionParameters.split(' ').every(isHarmless)) return undefined;
  const [inline = '', ...rest] = keyParameters.split('|');
  const key = readKey(suite, inline);
  const mki = readMki(rest);
  return key === undefined || mki === undefined ? undefined : { tag: Number(tag), suite, key, mki };
}

/** §6.3: a hint about the window, and what its sender says may be ignored. */
const isHarmless = (parameter: string): boolean => parameter === '' || /^(WSH=\d+|-.*)$/i.test(parameter);

/** The padding may be missing. */
function readKey(suite: SrtpSuite, inline: string): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(inline)) return undefined;
  const bytes = Buffer.from(inline, 'base64');
  const { keyBytes, saltBytes } = srtpSuites[suite];
  return bytes.length === keyBytes + saltBytes ? bytes.toString('base64') : undefined;
}

/** @param rest of the key parameters: `[lifetime] [MKI:length]` @returns undefined when they cannot be read */
function readMki(rest: readonly string[]): string | undefined {
  const [first, second, third] = rest;
  if (first === undefined) return '';
  const isLifetime = /^(2\^)?\d{1,20}$/.test(first);
  if (third !== undefined || (!isLifetime && second !== undefined)) return undefined;
  const text = isLifetime ? second : first;
  if (text === undefined) return '';
  const [, value = '', length = ''] = /^(\d{1,40}):(\d{1,3})$/.exec(text) ?? [];
  const bytes = Number(length);
  const hex = value === '' ? '' : BigInt(value).toString(16);
  if (hex === '' || bytes < 1 || bytes > 128 || hex.length > 2 * bytes) return undefined;
  return hex.padStart(2 * bytes, '0');
}
