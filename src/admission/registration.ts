import type { RefusalCode } from '../errors.ts';
import { checkGateway, checkRequest, checkTrunk, gaveCredentials, hasValidCredentials } from './admit.ts';
import {
  type CallerFacts,
  challenged,
  type GatewayState,
  type OrganizationFacts,
  type Refused,
  type RequestFacts,
  refused,
} from './facts.ts';

/** REGISTER: PBXs like to, we keep it for the operator to see. Source: decisions §3; RFC 3261 §10.3. */

export const MIN_EXPIRES_SECONDS = 60;
const MAX_EXPIRES_SECONDS = 3600;
/** Contacts per address of record; the one that would expire first makes room. */
const MAX_BINDINGS = 10;
const MAX_CONTACT_CHARACTERS = 512;

export interface RegisterRequest {
  /** The Contacts as given, `*` alone, or empty to ask for the list. `expires` in seconds, null where not given. */
  contacts: '*' | readonly { uri: string; expires: number | null }[];
  /** The header `Expires`, null when absent. */
  expires: number | null;
}

export interface Binding {
  contact: string;
  /** Wall clock, ms. */
  expiresAt: number;
}

/** Rows 1 to 3 and 6 to 9, where an address alone is never enough: whose registration this is, or the refusal. */
export function admitRegister(
  gateway: GatewayState,
  request: RequestFacts,
  caller: CallerFacts,
): { admitted: true; organization: OrganizationFacts } | Refused {
  const refusal = checkGateway(gateway, null) ?? checkRequest(request);
  if (refusal !== null) return refusal;
  if (!gaveCredentials(caller)) return challenged(caller.credentials);
  const organization = caller.organizations.find((each) => hasValidCredentials(caller, each.id));
  if (organization === undefined)
    return refused('credentials_invalid', { detail: caller.credentials.detail ?? undefined });
  return checkTrunk(organization, caller) ?? { admitted: true, organization };
}

export type Registered =
  /** All Contacts that are bound now; `expires` in seconds stands behind each in the 200. */
  | { bindings: Binding[]; contacts: { uri: string; expires: number }[] }
  | { refused: RefusalCode; detail: string };

/**
 * Applies a REGISTER to the bindings of one address of record, all of it or nothing.
 * @param now wall clock, ms
 * @returns the new bindings, or `interval_too_brief` (423, `Min-Expires: 60`) or `bad_request`
 */
export function register(current: readonly Binding[], request: RegisterRequest, now: number): Registered {
  const valid = current.filter((binding) => binding.expiresAt > now);
  if (request.contacts === '*') {
    if (request.expires !== 0) return { refused: 'bad_request', detail: 'Contact: * needs Expires: 0' };
    return answer([], now);
  }
  const bindings = new Map(valid.map((binding) => [binding.contact, binding]));
  for (const { uri, expires } of request.contacts) {
    if (uri.length > MAX_CONTACT_CHARACTERS) {
      return {
        refused: 'bad_request',
        detail: `a Contact of more than ${MAX_CONTACT_CHARACTERS} characters`,
      };
    }
    const seconds = expires ?? request.expires ?? MAX_EXPIRES_SECONDS;
    if (seconds > 0 && seconds < MIN_EXPIRES_SECONDS) {
      return { refused: 'interval_too_brief', detail: `${seconds} s; at least ${MIN_EXPIRES_SECONDS} s` };
    }
    bindings.delete(uri);
    const expiresAt = now + Math.min(seconds, MAX_EXPIRES_SECONDS) * 1000;
    if (seconds > 0) bindings.set(uri, { contact: uri, expiresAt });
    if (bindings.size > MAX_BINDINGS) bindings.delete(firstToExpire(bindings.values()));
  }
  return answer([...bindings.values()], now);
}

function answer(bindings: Binding[], now: number): Registered {
  const contacts = bindings.map(({ contact, expiresAt }) => ({
    uri: contact,
    expires: Math.ceil((expiresAt - now) / 1000),
  }));
  return { bindings, contacts };
}

function firstToExpire(bindings: Iterable<Binding>): string {
  return [...bindings].reduce((first, each) => (each.expiresAt < first.expiresAt ? each : first)).contact;
}
