import { timingSafeEqual } from 'node:crypto';
import type { DigestAlgorithm } from '../config/digest-algorithms.ts';
import { responseOf } from '../digest-hash.ts';

/** Digest credentials: reading the header and checking the answer. Source: RFC 7616, RFC 8760, RFC 3261 §22; decisions §3. */

export type { DigestAlgorithm };

/** The parameters of one `Digest` answer as given, unquoted; absent ones are undefined. */
export interface DigestAnswer {
  username: string;
  realm: string;
  nonce: string;
  uri: string;
  response: string;
  algorithm: string | undefined;
  qop: string | undefined;
  nc: string | undefined;
  cnonce: string | undefined;
  userhash: string | undefined;
}

const MAX_HEADER_CHARACTERS = 4096;
const MAX_PARAMETERS = 64;

/**
 * Finds the answer for our realm among the credentials of a header, of which there may be several, joined by commas.
 * @returns null when there is none, or the header is malformed or too large
 */
export function parseAuthorization(header: string, realm: string): DigestAnswer | null {
  const answers = scanCredentials(header).filter((each) => each.scheme === 'digest');
  const found = answers.find((each) => each.parameters.get('realm') === realm)?.parameters;
  const [username, nonce, uri, response] = ['username', 'nonce', 'uri', 'response'].map((name) =>
    found?.get(name),
  );
  if (found === undefined || !username || !nonce || !uri || !response) return null;
  return {
    username,
    realm,
    nonce,
    uri,
    response,
    algorithm: found.get('algorithm'),
    qop: found.get('qop'),
    nc: found.get('nc'),
    cnonce: found.get('cnonce'),
    userhash: found.get('userhash'),
  };
}

/** The algorithm that an answer names; none named is MD5. Undefined when it is not one that was offered. */
export function algorithmOf(
  answer: DigestAnswer,
  offered: readonly DigestAlgorithm[],
): DigestAlgorithm | undefined {
  const named = (answer.algorithm ?? 'MD5').toUpperCase();
  return offered.find((algorithm) => algorithm === named);
}

/** Compares the response with the one that HA1 gives, in constant time (RFC 7616 §3.4.1, qop=auth). */
export function responseMatches(
  answer: DigestAnswer,
  method: string,
  algorithm: DigestAlgorithm,
  ha1: string,
): boolean {
  const { uri, nonce, nc, cnonce, qop } = answer;
  const wanted = responseOf(algorithm, ha1, { method, uri, nonce, counted: [nc, cnonce, qop].join(':') });
  const given = Buffer.from(answer.response.toLowerCase());
  return given.length === wanted.length && timingSafeEqual(given, Buffer.from(wanted));
}

interface ScannedCredentials {
  /** In lower case, and so are the names of parameters. */
  scheme: string;
  parameters: Map<string, string>;
}

/**
 * Credentials or challenges: `scheme name=value, name="value", scheme …`. A token that no `=` follows begins the next.
 * @returns none when the header is malformed or too large
 */
export function scanCredentials(header: string): ScannedCredentials[] {
  if (header.length > MAX_HEADER_CHARACTERS) return [];
  const credentials: ScannedCredentials[] = [];
  const scanner = /[\s,]*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))?/y;
  let count = 0;
  while (/[^\s,]/.test(header.slice(scanner.lastIndex))) {
    const match = scanner.exec(header);
    if (match === null || ++count > MAX_PARAMETERS) return [];
    const [, name = '', quoted, bare] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    const parameters = credentials.at(-1)?.parameters;
    if (value === undefined) credentials.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else if (parameters === undefined) return [];
    // Of a parameter given twice the first counts, so that nobody appends one to what another has written.
    else if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  return credentials;
}

/** A quoted-string (RFC 3261 §25.1). */
export const quotedString = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
