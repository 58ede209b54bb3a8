import type { FastifyRequest } from 'fastify';
import { Refusal } from '../errors.ts';
import type { CallWebhook } from '../telephony/carrier-accounts.ts';
import type { CarrierCall } from './carrier-calls.ts';

/** A carrier's request about a call, as it came. */
export interface VoiceWebhook extends CallWebhook {
  fields: URLSearchParams;
  query: URLSearchParams;
  /** `ADDRESS:PORT`. */
  source: string;
}

export const CALL_ID_MOST = 200;
/** A parameter of Twilio's has 500 characters at most, with its name. */
const ADDRESS_MOST = 200;

/** @param publicUrl how carriers reach the API; they sign the address that they call, whatever a proxy makes of it */
export function readWebhook(
  carrier: VoiceWebhook['carrier'],
  request: FastifyRequest,
  publicUrl: string,
): VoiceWebhook {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const fields = new URLSearchParams(body.toString());
  const url = publicUrl + request.url;
  const query = new URL(url).searchParams;
  return {
    ...{ carrier, url, body, fields, query },
    accountSid: fields.get('AccountSid') ?? '',
    connectionId: query.get('connection_id') ?? undefined,
    signature: header(request, carrier === 'twilio' ? 'x-twilio-signature' : 'telnyx-signature-ed25519'),
    timestamp: header(request, 'telnyx-timestamp'),
    source: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
  };
}

/** @throws Refusal `bad_request` */
export function callOf({ carrier, fields, query }: VoiceWebhook): CarrierCall {
  const callId = fields.get('CallSid') ?? '';
  if (callId === '' || callId.length > CALL_ID_MOST)
    throw new Refusal('bad_request', 'no usable CallSid in a form: is it a TwiML or TeXML application?');
  const outbound = fields.get('Direction')?.startsWith('outbound') === true;
  const from = (fields.get('From') ?? '').slice(0, ADDRESS_MOST);
  const to = (fields.get('To') ?? '').slice(0, ADDRESS_MOST);
  return {
    ...{ carrier, callId, direction: outbound ? 'outbound' : 'inbound', from, to },
    ownNumber: outbound ? from : to,
    sessionId: query.get('session_id'),
    role: query.get('role'),
  };
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
