import { type DigestAlgorithm, quotedString } from './digest.ts';

/**
 * The values of `WWW-Authenticate` for a 401, one for each algorithm, all with the same nonce, in the order of the
 * setting: the first one is what a peer that reads only one will take. Source: RFC 8760 §2.3, decisions §3.
 */
export function challenges(
  algorithms: readonly DigestAlgorithm[],
  { realm, nonce, stale }: { realm: string; nonce: string; stale: boolean },
): string[] {
  const quotedRealm = quotedString(realm);
  return algorithms.map(
    (algorithm) =>
      `Digest realm=${quotedRealm}, nonce="${nonce}", ${stale ? 'stale=true, ' : ''}algorithm=${algorithm}, qop="auth"`,
  );
}
