import { createCipheriv } from 'node:crypto';
import { type SrtpSuite, srtpSuites } from '../srtp.ts';

/** Session keys out of a master key and salt. Source: RFC 3711 §4.3, RFC 7714 §11; a key derivation rate is not used. */

/** Of one direction, for RTP or for RTCP. `authentication` is empty where the cipher authenticates (GCM). */
export interface SessionKeys {
  encryption: Uint8Array;
  salt: Uint8Array;
  authentication: Uint8Array;
}

export interface KeyPair {
  rtp: SessionKeys;
  rtcp: SessionKeys;
}

/** RFC 3711 §4.3.2; those of RTCP are three higher. */
const label = { encryption: 0, authentication: 1, salt: 2, rtcp: 3 } as const;
/** The generator's input is as long as a salt of AES-CM; the shorter one of GCM is padded (RFC 7714 §11). */
const INPUT_BYTES = 14;
const SHA1_KEY_BYTES = 20;

/** @param inline master key and salt in base64, of the suite's length */
export function deriveKeys(suite: SrtpSuite, inline: string): KeyPair {
  const { keyBytes, saltBytes } = srtpSuites[suite];
  const master = Buffer.from(inline, 'base64');
  const key = master.subarray(0, keyBytes);
  const salt = master.subarray(keyBytes, keyBytes + saltBytes);
  const authenticationBytes = suite.startsWith('AES_CM') ? SHA1_KEY_BYTES : 0;
  const keysFrom = (first: number): SessionKeys => ({
    encryption: generate(key, salt, first + label.encryption, keyBytes),
    salt: generate(key, salt, first + label.salt, saltBytes),
    authentication: generate(key, salt, first + label.authentication, authenticationBytes),
  });
  return { rtp: keysFrom(0), rtcp: keysFrom(label.rtcp) };
}

/** The key stream of AES in counter mode, begun at the salt with the label in its eighth byte (§4.3.1, §4.3.3). */
export function generate(key: Uint8Array, salt: Uint8Array, labelled: number, bytes: number): Uint8Array {
  const counter = new Uint8Array(16);
  counter.set(salt);
  counter[INPUT_BYTES - 7] = (counter[INPUT_BYTES - 7] as number) ^ labelled;
  return createCipheriv(`aes-${8 * key.length}-ctr`, key, counter).update(new Uint8Array(bytes));
}
