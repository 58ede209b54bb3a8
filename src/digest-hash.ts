import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from './config/digest-algorithms.ts';

/**
 * The hashes of digest authentication (RFC 7616 §3.4), in lower-case hex: of what callers answer us, of what we answer others,
 * and of what is kept of a password.
 */
const hashNames: Readonly<Record<DigestAlgorithm, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

const hash = (algorithm: DigestAlgorithm, text: string): string =>
  createHash(hashNames[algorithm]).update(text).digest('hex');

/** HA1 = H(username:realm:password), §3.4.2. */
export const ha1Of = (
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): string => hash(algorithm, `${username}:${realm}:${password}`);

interface Digested {
  method: string;
  uri: string;
  nonce: string;
  /** `nc:cnonce:qop`; empty for the response of RFC 2069, which has none of them. */
  counted: string;
}

/** The response, §3.4.1. */
export function responseOf(
  algorithm: DigestAlgorithm,
  ha1: string,
  { method, uri, nonce, counted }: Digested,
): string {
  const ha2 = hash(algorithm, `${method}:${uri}`);
  return hash(algorithm, `${ha1}:${nonce}:${counted === '' ? '' : `${counted}:`}${ha2}`);
}
