import { parseCalledUri } from './called-uri.ts';
import {
  algorithmOf,
  type DigestAlgorithm,
  type DigestAnswer,
  parseAuthorization,
  responseMatches,
} from './digest.ts';
import type { Nonces, OpenNonce } from './nonce.ts';

/** What the credentials of a request are worth. Source: decisions §3, "Digest" and "Bans". */

export interface CredentialsFacts {
  /** `stale`: the nonce is not good any more, or its `nc` came again; the password was not looked at. */
  verdict: 'none' | 'valid' | 'invalid' | 'stale';
  /** Whose they are, when valid. */
  organizationId: string | null;
  /** The one that has the username that was given, right or wrong. */
  claimedOrganization: string | null;
  /** A wrong password for a nonce that was issued to this very address: the only kind that bans count. */
  countsForBan: boolean;
  /** For the log: what was wrong. */
  detail: string | null;
}

export interface AuthenticatedRequest {
  authorization: string | undefined;
  method: string;
  /** Request-URI as received. */
  uri: string;
  /** As admission determined it. */
  source: string;
}

export interface CredentialsContext {
  realm: string;
  /** Those that our challenges offer. */
  algorithms: readonly DigestAlgorithm[];
  nonces: Nonces;
  /** HA1 by algorithm, lower-case hex, of the trunk with this username. */
  lookup: (
    username: string,
  ) => { organizationId: string; ha1: Readonly<Record<DigestAlgorithm, string>> } | undefined;
}

/** Stands in for the HA1 of a username that nobody has, so that the answer takes as long. */
const NOBODY = '0'.repeat(64);

export function checkCredentials(
  request: AuthenticatedRequest,
  context: CredentialsContext,
): CredentialsFacts {
  if (request.authorization === undefined) return facts('none');
  const answer = parseAuthorization(request.authorization, context.realm);
  if (answer === null) return facts('none', 'no readable Digest credentials for our realm');
  const nonce = context.nonces.open(answer.nonce, request.source);
  if (nonce === null) return facts('stale', 'the nonce is unknown or has expired');
  const problem = formProblem(answer, request, context.algorithms);
  if (problem !== null) return facts('invalid', problem);
  if (!context.nonces.count(nonce, Number.parseInt(answer.nc!, 16)))
    return facts('stale', 'nc was used before');
  return checkPassword(answer, nonce, request, context);
}

function checkPassword(
  answer: DigestAnswer,
  nonce: OpenNonce,
  request: AuthenticatedRequest,
  context: CredentialsContext,
): CredentialsFacts {
  const algorithm = algorithmOf(answer, context.algorithms)!;
  const owner = context.lookup(answer.username);
  const matches = responseMatches(answer, request.method, algorithm, owner?.ha1[algorithm] ?? NOBODY);
  if (matches && owner !== undefined) {
    const { organizationId } = owner;
    return { ...facts('valid'), organizationId, claimedOrganization: organizationId };
  }
  return {
    ...facts('invalid', 'wrong username or password'),
    claimedOrganization: owner?.organizationId ?? null,
    countsForBan: nonce.issuedToSource,
  };
}

/** What cannot be right whatever the password is: no guess, so it never counts for a ban. */
function formProblem(
  answer: DigestAnswer,
  request: AuthenticatedRequest,
  offered: readonly DigestAlgorithm[],
): string | null {
  if (algorithmOf(answer, offered) === undefined) return 'the algorithm is not one that was offered';
  if (answer.userhash?.toLowerCase() === 'true') return 'userhash is not supported';
  if (answer.qop !== 'auth') return 'qop must be auth';
  if (!/^[0-9a-f]{1,8}$/i.test(answer.nc ?? '')) return 'nc must be a hexadecimal number of up to 8 digits';
  if (!answer.cnonce) return 'cnonce is missing';
  if (!namesSameUser(answer.uri, request.uri)) return 'the credentials were made for another address';
  return null;
}

/**
 * Proxies on the way may rewrite host, port and parameters of the Request-URI; the user part says what is called.
 * Some peers sign the host alone, which names no other session either.
 */
function namesSameUser(given: string, called: string): boolean {
  if (given === called) return true;
  const nowhere = { domains: [], addresses: [] };
  const signed = parseCalledUri(given, nowhere);
  return signed !== null && (signed.user === '' || signed.user === parseCalledUri(called, nowhere)?.user);
}

function facts(verdict: CredentialsFacts['verdict'], detail: string | null = null): CredentialsFacts {
  return { verdict, organizationId: null, claimedOrganization: null, countsForBan: false, detail };
}
