import type { DigestAlgorithm } from '../config/digest-algorithms.ts';
import { ha1Of } from '../digest-hash.ts';

/** What is kept of a trunk's password: its HA1 for each algorithm, and the realm that they hold for (decisions §3). */
export interface Credentials {
  realm: string;
  ha1: Readonly<Record<DigestAlgorithm, string>>;
}

/** The HA1 of this password for each algorithm. */
export function makeCredentials(username: string, realm: string, password: string): Credentials {
  const ha1 = (algorithm: DigestAlgorithm) => ha1Of(algorithm, username, realm, password);
  return { realm, ha1: { MD5: ha1('MD5'), 'SHA-256': ha1('SHA-256'), 'SHA-512-256': ha1('SHA-512-256') } };
}
