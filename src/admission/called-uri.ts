import { type SelfTestKind, selfTestKinds } from '../config/self-test.ts';
import { parseSessionId, type SessionId } from '../ids.ts';
import { normalizeAddress } from './address.ts';

/** What a Request-URI asks for. Source: decisions §2; RFC 3261 §19.1. */

export interface CalledUri {
  /** Up to the first `;`, unescaped, without a password. */
  user: string;
  /** In lower case, an address in its one spelling. */
  host: string;
  /** Host is one of ours. */
  ours: boolean;
  target:
    | { kind: 'session'; sessionId: SessionId }
    | { kind: 'self_test'; test: SelfTestKind }
    | { kind: 'other' };
  /** Value of the parameter `role` as written, null when there is none. */
  role: string | null;
}

/** The names and addresses under which this gateway is called. */
export interface OwnHosts {
  domains: readonly string[];
  /** Listening and advertised addresses. */
  addresses: readonly string[];
  /** User parts of the self-tests; an empty one is none. */
  selfTests?: Readonly<Record<SelfTestKind, string>> | undefined;
}

const MAX_URI_CHARACTERS = 1024;

/** @returns null when the text is no `sip:` or `sips:` URI */
export function parseCalledUri(text: string, own: OwnHosts): CalledUri | null {
  if (text.length > MAX_URI_CHARACTERS) return null;
  const match =
    /^sips?:(?:([^@\s]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?((?:;[^?\s@]*)?)(?:\?\S*)?$/i.exec(
      text,
    );
  if (match === null) return null;
  const [, userInfo = '', hostText = '', uriParameters = ''] = match;
  // Some PBXs escape the semicolon.
  const [name = '', ...userParameters] = userInfo.replace(/%3b/gi, ';').split(';');
  const user = unescaped(name.split(':', 1)[0] ?? '');
  const host = normalizeAddress(hostText) ?? hostText.toLowerCase().replace(/\.$/, '');
  if (user === null) return null;
  return {
    user,
    host,
    ours: isOwn(host, own),
    target: targetOf(user, own.selfTests),
    // Asterisk's user-only dialling leaves the parameters in the user part; those in their own place come first.
    role: parameter('role', [...uriParameters.split(';'), ...userParameters]),
  };
}

function targetOf(user: string, selfTests: OwnHosts['selfTests']): CalledUri['target'] {
  const sessionId = parseSessionId(user);
  if (sessionId !== undefined) return { kind: 'session', sessionId };
  const name = user.toLowerCase();
  const test = selfTestKinds.find((kind) => name !== '' && name === selfTests?.[kind].toLowerCase());
  return test === undefined ? { kind: 'other' } : { kind: 'self_test', test };
}

function isOwn(host: string, { domains, addresses }: OwnHosts): boolean {
  return (
    domains.some((domain) => domain.toLowerCase() === host) ||
    addresses.some((address) => normalizeAddress(address) === host)
  );
}

function parameter(name: string, parameters: readonly string[]): string | null {
  for (const each of parameters) {
    const [key = '', ...value] = each.split('=');
    if (key.trim().toLowerCase() === name) return unescaped(value.join('=').trim()) ?? '';
  }
  return null;
}

function unescaped(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
