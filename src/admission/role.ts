import { type Role, roles } from '../roles.ts';

/**
 * The role that a caller names: the Request-URI's parameter, else the header `X-Kallglot-Role`. What follows in the
 * order of decisions §2 (the role held before, the first free one) and row 11 are the bridge's, which knows its legs.
 * @returns null when neither is there, `invalid` when the one that counts is no role
 */
export function requestedRole(
  uriParameter: string | null,
  header: string | undefined,
): Role | null | 'invalid' {
  const named = (uriParameter ?? header)?.trim().toLowerCase();
  if (named === undefined) return null;
  return roles.find((role) => role === named) ?? 'invalid';
}
