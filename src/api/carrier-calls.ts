import { E164 } from '../config/values.ts';
import { Refusal } from '../errors.ts';
import { parseSessionId } from '../ids.ts';
import type { Carrier } from '../providers.ts';
import { type Role, roles, rolesOf } from '../roles.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import { fromDefaults } from '../sessions/new-session.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { CarrierAccount, CarrierAccounts } from '../telephony/carrier-accounts.ts';
import { readDefaults, type Trunk } from '../telephony/trunks.ts';

/** A call that a carrier tells of, once its signature is known to be good. */
export interface CarrierCall {
  carrier: Carrier;
  /** The carrier's id of it. */
  callId: string;
  /** Numbers, or addresses. */
  from: string;
  to: string;
  /** The one at our end: called by the customer, or shown to whom the carrier called for us. */
  ownNumber: string;
  direction: 'inbound' | 'outbound';
  /** What the webhook's address asks for: a session that there is, and the party that the call carries in it. */
  sessionId: string | null;
  role: string | null;
}

export interface CarrierCallsOptions {
  accounts: CarrierAccounts;
  sessions: Sessions;
  /** An organization's settings, as they are now. */
  trunkOf: (organizationId: string) => Trunk | undefined;
  /** Calls of an organization that are up or being set up on this node. */
  callsOf: (organizationId: string) => number;
}

interface Owner {
  organizationId: string;
  connectionId: string | undefined;
  /** Of the number or the connection, over the organization's. */
  defaults: SessionDefaults | null;
}

/**
 * The session that a carrier's call belongs to: the one that it names, or one of its own from the defaults of the number or
 * the connection, made once per call.
 * @throws Refusal
 */
export async function sessionOfCall(
  call: CarrierCall,
  account: CarrierAccount,
  { accounts, sessions, trunkOf, callsOf }: CarrierCallsOptions,
): Promise<{ session: Session; role: Role }> {
  const role = roles.find((one) => one === (call.role ?? 'customer'));
  if (role === undefined) throw new Refusal('role_invalid');
  const owner = await ownerOf(call, account, accounts);
  const { organizationId } = owner;
  const trunk = trunkOf(organizationId);
  if (!trunk?.active) throw new Refusal('organization_inactive', organizationId);
  if (callsOf(organizationId) >= trunk.concurrencyLimit)
    throw new Refusal('concurrency_limit', `limit ${trunk.concurrencyLimit}`);
  const session =
    call.sessionId === null
      ? await ownSession(call, owner, trunk.sessionDefaults, sessions)
      : await namedSession(call.sessionId, organizationId, sessions);
  if (session.status === 'ended') throw new Refusal('session_ended', session.id);
  if (!rolesOf(session.mode).includes(role)) throw new Refusal('role_taken', `this mode has no ${role}`);
  return { session, role };
}

async function ownerOf(
  { carrier, ownNumber }: CarrierCall,
  { connection }: CarrierAccount,
  accounts: CarrierAccounts,
): Promise<Owner> {
  if (connection !== undefined)
    return {
      organizationId: connection.organization_id,
      connectionId: connection.id,
      defaults: readDefaults(connection.session_defaults),
    };
  const number = await accounts.managedNumber(ownNumber, carrier);
  if (number === undefined) throw new Refusal('phone_number_not_found');
  return {
    organizationId: number.organization_id,
    connectionId: undefined,
    defaults: readDefaults(number.session_defaults),
  };
}

function ownSession(
  { carrier, callId, ownNumber, direction }: CarrierCall,
  { organizationId, connectionId, defaults }: Owner,
  ofOrganization: SessionDefaults,
  sessions: Sessions,
): Promise<Session> {
  // A SIP address may be called at a carrier as well, which is no phone number.
  const phoneNumber = E164.test(ownNumber) ? ownNumber : undefined;
  const routing = {
    ...(phoneNumber !== undefined && { phone_number: phoneNumber }),
    ...(connectionId !== undefined && { connection_id: connectionId }),
    direction,
  };
  const wanted = fromDefaults(organizationId, { ...ofOrganization, ...defaults }, routing);
  const route = {
    provider: carrier,
    ...(phoneNumber !== undefined && { phoneNumber }),
    ...(connectionId !== undefined && { connectionId }),
  };
  return sessions.ofCarrierCall(wanted, route, callId);
}

async function namedSession(name: string, organizationId: string, sessions: Sessions): Promise<Session> {
  const id = parseSessionId(name);
  const session = id && (await sessions.find(id));
  if (session?.organizationId !== organizationId) throw new Refusal('session_not_found');
  return session;
}
