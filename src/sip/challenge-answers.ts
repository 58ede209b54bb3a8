import { createHash, randomBytes } from 'node:crypto';
import { type DigestAlgorithm, hashNames, quotedString, scanCredentials } from '../admission/digest.ts';
import type { SipAnswer } from './srf-port.ts';

/** One challenge that is answered with every request from then on. */
interface Challenge {
  realm: string;
  nonce: string;
  opaque: string | undefined;
  /** As it is spelled in the challenge; absent means MD5. */
  algorithm: string | undefined;
  hash: string;
  /** `qop=auth` was offered; else the answer is the one of RFC 2069. */
  qop: boolean;
  stale: boolean;
  /** Requests that were sent with this nonce. */
  count: number;
}

/** So many times a call is sent once more: two proxies and the callee may want a password each, or say that a nonce is old. */
const MOST = 4;

/**
 * The digest answers to whoever challenges an INVITE of ours: a proxy by 407, the callee by 401 (RFC 3261 §22.2, §22.3). Of
 * several challenges the first is taken that can be answered, as RFC 8760 §2.4 orders them: drachtio-srf would answer each
 * with MD5. The same realm is answered once more only where it says that the nonce is old.
 */
export class ChallengeAnswers {
  readonly #username: string;
  readonly #password: string;
  /** By the header that answers. */
  readonly #open = new Map<string, Challenge>();
  #taken = 0;

  constructor({ username, password }: { username: string; password: string }) {
    this.#username = username;
    this.#password = password;
  }

  /** @param answer a 401 or 407 @returns whether the request is to be sent once more */
  take(answer: Pick<SipAnswer, 'status' | 'get'>): boolean {
    const proxy = answer.status === 407;
    const [challenge] = challengesOf(answer.get(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate') ?? '');
    const name = proxy ? 'Proxy-Authorization' : 'Authorization';
    const before = this.#open.get(name);
    if (challenge === undefined || this.#taken === MOST) return false;
    if (before?.realm === challenge.realm && !challenge.stale) return false;
    this.#taken += 1;
    this.#open.set(name, challenge);
    return true;
  }

  /** The headers of the next request. */
  headers(method: string, uri: string): Record<string, string> {
    return Object.fromEntries(
      [...this.#open].map(([name, challenge]) => [name, this.#answer(challenge, method, uri)]),
    );
  }

  /** RFC 7616 §3.4. */
  #answer(challenge: Challenge, method: string, uri: string): string {
    const { realm, nonce, opaque, algorithm, qop } = challenge;
    challenge.count += 1;
    const hash = (text: string): string => createHash(challenge.hash).update(text).digest('hex');
    const nc = challenge.count.toString(16).padStart(8, '0');
    const cnonce = randomBytes(9).toString('base64url');
    const ha1 = hash(`${this.#username}:${realm}:${this.#password}`);
    const counted = qop ? `${nc}:${cnonce}:auth:` : '';
    const fields = [
      `username=${quotedString(this.#username)}`,
      `realm=${quotedString(realm)}`,
      `nonce=${quotedString(nonce)}`,
      `uri="${uri}"`,
      `response="${hash(`${ha1}:${nonce}:${counted}${hash(`${method}:${uri}`)}`)}"`,
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      ...(opaque === undefined ? [] : [`opaque=${quotedString(opaque)}`]),
      ...(qop ? ['qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`] : []),
    ];
    return `Digest ${fields.join(', ')}`;
  }
}

/** Those that can be answered, in their order. */
function challengesOf(header: string): Challenge[] {
  return scanCredentials(header).flatMap(({ scheme, parameters }) => {
    const [realm, nonce, algorithm, qop] = ['realm', 'nonce', 'algorithm', 'qop'].map((name) =>
      parameters.get(name),
    );
    const hash = hashNames[(algorithm ?? 'MD5').toUpperCase() as DigestAlgorithm];
    const qops = qop?.split(',').map((one) => one.trim().toLowerCase());
    const usable = scheme === 'digest' && hash !== undefined && (qops?.includes('auth') ?? true);
    if (!usable || realm === undefined || !nonce) return [];
    const stale = parameters.get('stale')?.toLowerCase() === 'true';
    const opaque = parameters.get('opaque');
    return [{ realm, nonce, opaque, algorithm, hash, qop: qops !== undefined, stale, count: 0 }];
  });
}
