import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../config/digest-algorithms.ts';

/** What is kept of a trunk's password: its HA1 for each algorithm, and the realm that they hold for (decisions §3). */
export interface Credentials {
  realm: string;
  ha1: Readonly<Record<DigestAlgorithm, string>>;
}

const hashName: Readonly<Record<DigestAlgorithm, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

/** HA1 = H(username:realm:password), RFC 7616 §3.4.2, in lower-case hex. */
export function makeCredentials(username: string, realm: string, password: string): Credentials {
  const ha1 = (algorithm: DigestAlgorithm) =>
    createHash(hashName[algorithm]).update(`${username}:${realm}:${password}`).digest('hex');
  return { realm, ha1: { MD5: ha1('MD5'), 'SHA-256': ha1('SHA-256'), 'SHA-512-256': ha1('SHA-512-256') } };
}
