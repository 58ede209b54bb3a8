import { MIN_EXPIRES_SECONDS, type RegisterRequest, register } from '../admission/registration.ts';
import { Refusal, refusalOf } from '../errors.ts';
import { refuse } from './answers.ts';
import { addressParameter, splitAddresses, uriOf } from './header-values.ts';
import type { SipContext } from './sip-context.ts';
import type { SipRequest, SipResponse } from './srf-port.ts';

/** Where registrations are kept for the operator to see; calls are never sent to one. */
export interface RegistrationBook {
  /**
   * Changes the bindings of an address of record in one step.
   * @param change gets the bindings as they are, and returns them as they shall be
   */
  update(
    binding: { organizationId: string; aor: string; sourceAddress: string },
    change: (current: { contact: string; expiresAt: number }[]) => { contact: string; expiresAt: number }[],
  ): Promise<void>;
}

const MAX_CONTACTS = 20;

/** PBXs like to register (decisions §3): always by password, capped, and listed in the 200. */
export async function handleRegister(
  context: SipContext,
  request: SipRequest,
  response: SipResponse,
): Promise<void> {
  try {
    await takeRegistration(context, request, response);
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    refuse(context, request, response, refusal);
  }
}

async function takeRegistration(
  context: SipContext,
  request: SipRequest,
  response: SipResponse,
): Promise<void> {
  const admitted = context.admission.admitRegister(request);
  if ('refusal' in admitted) return refuse(context, request, response, admitted.refusal, admitted.headers);
  const wanted = readRegister(request);
  if (wanted === undefined) {
    return refuse(
      context,
      request,
      response,
      new Refusal('bad_request', 'Contact or Expires cannot be read'),
    );
  }
  let contacts: { uri: string; expires: number }[] = [];
  let refusal: Refusal | undefined;
  const aor = uriOf(request.get('To') ?? '').slice(0, 500);
  await context.registrations.update({ ...admitted, aor }, (current) => {
    const outcome = register(current, wanted, context.now());
    if ('refused' in outcome) {
      refusal = new Refusal(outcome.refused, outcome.detail);
      return current;
    }
    contacts = outcome.contacts;
    return outcome.bindings;
  });
  if (refusal) {
    const headers: Record<string, string> =
      refusal.code === 'interval_too_brief' ? { 'Min-Expires': String(MIN_EXPIRES_SECONDS) } : {};
    return refuse(context, request, response, refusal, headers);
  }
  context.admission.succeeded(admitted.sourceAddress, admitted.organizationId);
  const bound = contacts.map(({ uri, expires }) => `<${uri}>;expires=${expires}`).join(', ');
  response.send(200, {
    headers: { Date: new Date(context.now()).toUTCString(), ...(bound && { Contact: bound }) },
  });
}

/** @returns undefined when the headers cannot be read */
function readRegister(request: SipRequest): RegisterRequest | undefined {
  const expires = readSeconds(request.get('Expires'));
  const values = splitAddresses(request.get('Contact') ?? '');
  if (expires === undefined || values.length > MAX_CONTACTS) return undefined;
  if (values.includes('*')) return values.length === 1 ? { contacts: '*', expires } : undefined;
  const contacts = values.map((value) => ({
    uri: uriOf(value),
    expires: readSeconds(addressParameter(value, 'expires')),
  }));
  if (contacts.some((contact) => contact.uri === '' || contact.expires === undefined)) return undefined;
  return { contacts: contacts as { uri: string; expires: number | null }[], expires };
}

/** @returns null when it is absent, undefined when it is no number of seconds */
function readSeconds(text: string | undefined): number | null | undefined {
  if (text === undefined || text === '') return null;
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
