import { expect } from 'vitest';
import { admitInvite, type InviteFacts } from '../../src/admission/admit.ts';
import { Allowlist } from '../../src/admission/allowlist.ts';
import { parseCalledUri } from '../../src/admission/called-uri.ts';
import type { CredentialsFacts } from '../../src/admission/credentials.ts';
import type { OrganizationFacts, Refused, SessionFacts } from '../../src/admission/facts.ts';
import type { Clock } from '../../src/clock.ts';
import type { SessionId } from '../../src/ids.ts';

/** Facts of a call as the tests like to say them: what is not said is a good call. */

export const SESSION: SessionId = 'sess_01J9ZQ3V5W8X7Y6T4R2P1N0M9K';
export const own = {
  domains: ['sip.kallglot.com'],
  addresses: ['198.51.100.1', '2001:db8::1'],
  selfTests: { echo: 'echo', test: 'test' },
};
/** On the allowlist of nobody, unless a test says so. */
export const STRANGER = '203.0.113.66';
export const PBX = '192.0.2.7';

export const organization = (
  facts: Partial<Omit<OrganizationFacts, 'allowlist'>> & { allow?: string[] } = {},
) => {
  const { allow = [], ...rest } = facts;
  return {
    id: 'org_a',
    active: true,
    sipEnabled: true,
    requireDigest: false,
    requireTls: false,
    inboundFirst: false,
    allowlist: new Allowlist(allow),
    ...rest,
  } satisfies OrganizationFacts;
};

export const sessionOf = (organizationId: string, facts: Partial<SessionFacts> = {}): SessionFacts => ({
  id: SESSION,
  organizationId,
  provider: 'sip',
  status: 'created',
  ...facts,
});

export const none: CredentialsFacts = {
  verdict: 'none',
  organizationId: null,
  claimedOrganization: null,
  countsForBan: false,
  detail: null,
};
export const stale: CredentialsFacts = { ...none, verdict: 'stale' };
export const wrong: CredentialsFacts = {
  ...none,
  verdict: 'invalid',
  countsForBan: true,
  detail: 'wrong username or password',
};
export const validOf = (organizationId: string): CredentialsFacts => ({
  ...none,
  verdict: 'valid',
  organizationId,
  claimedOrganization: organizationId,
});

export interface Call {
  source?: string;
  transport?: string;
  credentials?: CredentialsFacts;
  certificateOrganizations?: string[];
  strangeCertificate?: string;
  organizations?: OrganizationFacts[];
  uri?: string;
  roleHeader?: string;
  session?: SessionFacts | null;
  draining?: boolean;
  overloaded?: boolean;
  bridgeLive?: boolean;
  request?: Partial<InviteFacts['request']>;
}

/** Without more: the session of org_a is called from the PBX on org_a's allowlist. */
export function factsOf(call: Call = {}): InviteFacts {
  return {
    gateway: {
      draining: call.draining ?? false,
      overloaded: call.overloaded ?? false,
      bridgeLive: (id) => call.bridgeLive === true && id === SESSION,
    },
    request: { require: [], supported: [], contentType: 'application/sdp', bodyBytes: 300, ...call.request },
    caller: {
      source: call.source ?? PBX,
      transport: call.transport ?? 'udp',
      organizations: call.organizations ?? [organization({ allow: [PBX] })],
      credentials: call.credentials ?? none,
      certificateOrganizations: call.certificateOrganizations ?? [],
      strangeCertificate: call.strangeCertificate ?? null,
    },
    called: {
      uri: parseCalledUri(call.uri ?? `sip:${SESSION}@sip.kallglot.com`, own),
      roleHeader: call.roleHeader,
      session: call.session === undefined ? sessionOf('org_a') : call.session,
    },
  };
}

export const admit = (call: Call = {}) => admitInvite(factsOf(call));

export function refusalOf(call: Call): Refused {
  const admission = admit(call);
  expect(admission).toHaveProperty('refused');
  return admission as Refused;
}

/** The code alone, `admitted` where there is none. */
export function codeOf(call: Call): string {
  const admission = admit(call);
  return 'refused' in admission ? admission.refused : 'admitted';
}

export class TestClock implements Clock {
  #at = 1_700_000_000_000;
  now(): number {
    return this.#at;
  }
  monotonic(): number {
    return this.#at;
  }
  advance(ms: number): void {
    this.#at += ms;
  }
}
