import type { CalledUri } from './called-uri.ts';
import {
  type Admission,
  type CalledFacts,
  type CallerFacts,
  challenged,
  type GatewayState,
  type OrganizationFacts,
  type Refused,
  type RequestFacts,
  refused,
  type SessionFacts,
} from './facts.ts';
import { requestedRole } from './role.ts';

/**
 * Admission of an INVITE: rows 1 to 10 of the table in decisions §3, in their order. First who calls, then what for.
 * The rows that hold something (11 to 15) are the bridge's and sdp's.
 */

export interface InviteFacts {
  gateway: GatewayState;
  request: RequestFacts;
  caller: CallerFacts;
  called: CalledFacts;
}

const MAX_BODY_BYTES = 65_536;

/** Rows 1 to 10. */
export function admitInvite({ gateway, request, caller, called }: InviteFacts): Admission {
  const { uri, session, roleHeader } = called;
  const identified = identifyCaller({ gateway, request, caller, uri });
  if ('refused' in identified) return identified;

  if (uri === null || !isCallable(uri, identified)) return refused('not_a_session');
  const role = requestedRole(uri.role, roleHeader);
  if (role === 'invalid') return refused('role_invalid');

  const organization = organizationOf(uri, session, caller, identified);
  if ('refused' in organization) return organization;

  const calledSession = uri.target.kind === 'session' ? session : null;
  const refusal = checkTrunk(organization, caller) ?? (calledSession && checkSession(calledSession));
  if (refusal !== null) return refusal;
  const selfTest = uri.target.kind === 'self_test' ? uri.target.test : null;
  return { admitted: true, organizationId: organization.id, session: calledSession, selfTest, role };
}

/**
 * Rows 1 to 3: for a caller who comes no further, no session need be looked up.
 * @returns the organizations that are identified, at least one, or the refusal
 */
export function identifyCaller({
  gateway,
  request,
  caller,
  uri,
}: Omit<InviteFacts, 'called'> & Pick<CalledFacts, 'uri'>): Refused | OrganizationFacts[] {
  return checkGateway(gateway, uri) ?? checkRequest(request) ?? identify(caller);
}

/** Row 1. Those come in all the same whose session is up here: its other party, or one that comes back. */
export function checkGateway(gateway: GatewayState, uri: CalledFacts['uri']): Refused | null {
  if (uri?.target.kind === 'session' && gateway.bridgeLive(uri.target.sessionId)) return null;
  if (gateway.draining) return refused('draining');
  return gateway.overloaded ? refused('overloaded') : null;
}

/** Row 2. The method is checked by the routing: each method that is refused has a listener of its own. */
export function checkRequest(request: RequestFacts): Refused | null {
  return checkRequire(request) ?? checkBody(request);
}

/** RFC 3261 §8.2.2.3, for every request but ACK and CANCEL. */
export function checkRequire({
  require,
  supported,
}: Pick<RequestFacts, 'require' | 'supported'>): Refused | null {
  const unsupported = require.filter((tag) => !supported.includes(tag.toLowerCase()));
  return unsupported.length > 0 ? refused('extension_required', { unsupported }) : null;
}

function checkBody({ contentType, bodyBytes }: RequestFacts): Refused | null {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (bodyBytes > 0 && type !== 'application/sdp' && !type.startsWith('multipart/')) {
    return refused('content_type_unsupported', { detail: type.slice(0, 80) || 'no Content-Type' });
  }
  return bodyBytes > MAX_BODY_BYTES
    ? refused('message_too_large', {
        detail: `a body of ${bodyBytes} bytes; at most ${MAX_BODY_BYTES} are taken`,
      })
    : null;
}

/** Row 3. */
function identify(caller: CallerFacts): Refused | OrganizationFacts[] {
  const { source, organizations, credentials, certificateOrganizations } = caller;
  const identified = organizations.filter(
    ({ id, allowlist }) =>
      allowlist.standing(source) === 'identifies' ||
      hasValidCredentials(caller, id) ||
      certificateOrganizations.includes(id),
  );
  if (identified.length > 0) return identified;
  const { strangeCertificate } = caller;
  const detail = strangeCertificate ? `no trunk names its certificate, ${strangeCertificate}` : undefined;
  if (!gaveCredentials(caller)) return challenged(credentials, detail);
  return refused('credentials_invalid', { detail: caller.credentials.detail ?? undefined });
}

/** Row 4: the domain is ours, and the user part names a session, a self-test, or anything where a trunk has inbound-first on. */
function isCallable({ ours, user, target }: CalledUri, identified: OrganizationFacts[]): boolean {
  if (!ours) return false;
  return target.kind !== 'other' || (user !== '' && identified.some((each) => each.inboundFirst));
}

/** Whose the call is: a session tells, or who calls. */
function organizationOf(
  { target }: CalledUri,
  session: SessionFacts | null,
  caller: CallerFacts,
  identified: OrganizationFacts[],
): Refused | OrganizationFacts {
  if (target.kind === 'session') return ownerOf(session, caller, identified);
  const isTest = target.kind === 'self_test';
  return callersOrganization(caller, isTest ? identified : identified.filter((each) => each.inboundFirst));
}

/** Row 5. */
function ownerOf(
  session: SessionFacts | null,
  caller: CallerFacts,
  identified: OrganizationFacts[],
): Refused | OrganizationFacts {
  if (session === null) return refused('session_not_found');
  const owner = identified.find((each) => each.id === session.organizationId);
  if (owner !== undefined) return owner;
  return gaveCredentials(caller) ? refused('session_not_found') : challenged(caller.credentials);
}

/** Several candidates share the address: the username decides. @param wanting those that take such a call */
function callersOrganization(caller: CallerFacts, wanting: OrganizationFacts[]): Refused | OrganizationFacts {
  // One that cannot take calls is nobody's rival; alone, it is told why by the rows that follow.
  const able = wanting.filter((each) => each.active && each.sipEnabled);
  const candidates = able.length > 0 ? able : wanting;
  const named = candidates.find((each) => hasValidCredentials(caller, each.id));
  const chosen = named ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (chosen !== undefined) return chosen;
  return gaveCredentials(caller) ? refused('credentials_invalid') : challenged(caller.credentials);
}

/** Rows 6 to 9, for one organization's trunk. */
export function checkTrunk(organization: OrganizationFacts, caller: CallerFacts): Refused | null {
  if (!organization.active) return refused('organization_inactive');
  if (!organization.sipEnabled) return refused('sip_not_enabled');
  if (!organization.allowlist.isEmpty && !organization.allowlist.includes(caller.source)) {
    return refused('ip_not_allowed', { detail: caller.source });
  }
  if (organization.requireDigest && !hasValidCredentials(caller, organization.id)) {
    if (!gaveCredentials(caller)) return challenged(caller.credentials);
    const detail = caller.credentials.detail ?? 'credentials of another organization';
    return refused('credentials_invalid', { detail });
  }
  if (organization.requireTls && !['tls', 'wss'].includes(caller.transport.toLowerCase())) {
    return refused('tls_required', { detail: caller.transport });
  }
  return null;
}

/** Row 10. */
function checkSession(session: SessionFacts): Refused | null {
  if (session.provider !== 'sip') return refused('session_not_sip', { detail: session.provider });
  return session.status === 'ended' ? refused('session_ended') : null;
}

/** Right or wrong, they were looked at; with a nonce that is stale they were not. */
export function gaveCredentials({ credentials }: CallerFacts): boolean {
  return credentials.verdict === 'valid' || credentials.verdict === 'invalid';
}

export function hasValidCredentials({ credentials }: CallerFacts, organizationId: string): boolean {
  return credentials.verdict === 'valid' && credentials.organizationId === organizationId;
}
