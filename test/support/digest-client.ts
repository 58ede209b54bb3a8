import { createHash, randomBytes } from 'node:crypto';

/** The caller's side of digest authentication (RFC 7616, RFC 8760). */
export type DigestAlgorithm = 'MD5' | 'SHA-256' | 'SHA-512-256';
const hashNames: Readonly<Record<DigestAlgorithm, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

export interface Challenge {
  realm: string;
  nonce: string;
  algorithm: DigestAlgorithm;
  qop?: string;
  opaque?: string;
  stale: boolean;
}

/** Reads one `WWW-Authenticate` or `Proxy-Authenticate` value; undefined for an algorithm that is not known here. */
export function parseChallenge(value: string): Challenge | undefined {
  const fields = new Map<string, string>();
  for (const [, name, quoted, token] of value.matchAll(
    /([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi,
  )) {
    fields.set(name!.toLowerCase(), quoted ?? token!);
  }
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase();
  if (!/^digest\s/i.test(value) || !(algorithm in hashNames)) return undefined;
  return {
    realm: fields.get('realm') ?? '',
    nonce: fields.get('nonce') ?? '',
    algorithm: algorithm as DigestAlgorithm,
    qop: fields
      .get('qop')
      ?.split(',')
      .map((one) => one.trim())
      .find((one) => one === 'auth'),
    opaque: fields.get('opaque'),
    stale: fields.get('stale')?.toLowerCase() === 'true',
  };
}

export interface DigestRequest {
  method: string;
  uri: string;
  username: string;
  password: string;
  /** The n-th use of this nonce, from 1. */
  nonceCount?: number;
}

/** The value of the `Authorization` header that answers a challenge. */
export function authorization(challenge: Challenge, request: DigestRequest): string {
  const hash = (text: string) => createHash(hashNames[challenge.algorithm]).update(text).digest('hex');
  const ha1 = hash(`${request.username}:${challenge.realm}:${request.password}`);
  const ha2 = hash(`${request.method}:${request.uri}`);
  const nc = (request.nonceCount ?? 1).toString(16).padStart(8, '0');
  const cnonce = randomBytes(8).toString('hex');
  const qop = challenge.qop === undefined ? '' : `:${nc}:${cnonce}:${challenge.qop}`;
  const fields = [
    `username="${request.username}"`,
    `realm="${challenge.realm}"`,
    `nonce="${challenge.nonce}"`,
    `uri="${request.uri}"`,
    `response="${hash(`${ha1}:${challenge.nonce}${qop}:${ha2}`)}"`,
    `algorithm=${challenge.algorithm}`,
  ];
  if (challenge.qop !== undefined) fields.push(`qop=${challenge.qop}`, `nc=${nc}`, `cnonce="${cnonce}"`);
  if (challenge.opaque !== undefined) fields.push(`opaque="${challenge.opaque}"`);
  return `Digest ${fields.join(', ')}`;
}
