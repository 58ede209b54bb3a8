import { randomBytes } from 'node:crypto';
import { quotedString, scanCredentials } from '../admission/digest.ts';
import { type DigestAlgorithm, digestAlgorithms } from '../config/digest-algorithms.ts';
import { ha1Of, responseOf } from '../digest-hash.ts';
import type { SipAnswer } from './srf-port.ts';

/** One challenge that is answered with every request from then on. */
interface Challenge {
  realm: string;
  nonce: string;
  opaque: string | undefined;
  algorithm: DigestAlgorithm;
  /** As the challenge spells it, where it does. */
  spelled: string | undefined;
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
    const { realm, nonce, opaque, algorithm, spelled, qop } = challenge;
    challenge.count += 1;
    const nc = challenge.count.toString(16).padStart(8, '0');
    const cnonce = randomBytes(9).toString('base64url');
    const ha1 = ha1Of(algorithm, this.#username, realm, this.#password);
    const counted = qop ? `${nc}:${cnonce}:auth` : '';
    const fields = [
      `username=${quotedString(this.#username)}`,
      `realm=${quotedString(realm)}`,
      `nonce=${quotedString(nonce)}`,
      `uri="${uri}"`,
      `response="${responseOf(algorithm, ha1, { method, uri, nonce, counted })}"`,
      ...(spelled === undefined ? [] : [`algorithm=${spelled}`]),
      ...(opaque === undefined ? [] : [`opaque=${quotedString(opaque)}`]),
      ...(qop ? ['qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`] : []),
    ];
    return `Digest ${fields.join(', ')}`;
  }
}

/** Those that can be answered, in their order. */
function challengesOf(header: string): Challenge[] {
  return scanCredentials(header).flatMap(({ scheme, parameters }) => {
    const [realm, nonce, spelled, qop] = ['realm', 'nonce', 'algorithm', 'qop'].map((name) =>
      parameters.get(name),
    );
    const algorithm = digestAlgorithms.find((known) => known === (spelled ?? 'MD5').toUpperCase());
    const qops = qop?.split(',').map((one) => one.trim().toLowerCase());
    const usable = scheme === 'digest' && (qops?.includes('auth') ?? true);
    if (!usable || algorithm === undefined || realm === undefined || !nonce) return [];
    const stale = parameters.get('stale')?.toLowerCase() === 'true';
    const opaque = parameters.get('opaque');
    return [{ realm, nonce, opaque, algorithm, spelled, qop: qops !== undefined, stale, count: 0 }];
  });
}
