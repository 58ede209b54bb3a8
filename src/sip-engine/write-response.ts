import { contactOf, contentType, passedOn, withOwnAddress } from './app-message.ts';
import {
  type HeaderField,
  headersOf,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { answersAsSips } from './sips.ts';
import type { Flow } from './transport.ts';

/** Seconds that a 503 asks the peer to wait before it tries again. */
export const RETRY_AFTER: HeaderField = { name: 'Retry-After', value: '5' };

/** Words that may stand in a status line. */
export const reasonPhrase = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 120);

/** What a request and our side of it contribute to its responses. */
export interface ResponseContext {
  request: SipRequest;
  flow: Flow;
  /** Our tag, for a request whose To has none; the same over all responses of a transaction. */
  toTag: string;
}

/** The skeleton of RFC 3261 §8.2.6.2: Via, From, To with our tag, Call-ID, CSeq. A 100 carries no tag. */
export function plainResponse(context: ResponseContext, status: number, reason: string): SipResponse {
  const headers: HeaderField[] = [];
  const copy = (name: string): void => {
    for (const field of context.request.headers) if (field.name === name) headers.push({ ...field });
  };
  copy('Via');
  copy('From');
  copy('To');
  copy('Call-ID');
  copy('CSeq');
  const to = headers.find(({ name }) => name === 'To');
  if (to !== undefined && status > 100 && parseNameAddr(to.value)?.params.get('tag') === undefined) {
    to.value += `;tag=${context.toTag}`;
  }
  return { kind: 'response', status, reason, headers, body: Buffer.alloc(0) };
}

/**
 * Completes a response of the application: what it says, in a message that can go out.
 * @returns undefined when it has a body without a type
 */
export function completeResponse(context: ResponseContext, said: SipResponse): SipResponse | undefined {
  const { request, flow } = context;
  const response = plainResponse(context, said.status, said.reason);
  const { headers } = response;
  const type = contentType(said.headers, said.body);
  if (type === null) return undefined;
  const formsDialog = request.method === 'INVITE' || request.method === 'SUBSCRIBE';
  if (formsDialog && said.status > 100 && said.status < 300) {
    for (const field of request.headers) if (field.name === 'Record-Route') headers.push({ ...field });
  }
  const contacts = said.headers.filter(({ name }) => name === 'Contact');
  for (const { value } of contacts) headers.push({ name: 'Contact', value: withOwnAddress(value, flow) });
  if (contacts.length === 0 && needsContact(request.method, said.status)) {
    headers.push({ name: 'Contact', value: contactOf(flow, answersAsSips(request, flow)) });
  }
  headers.push(...passedOn(said.headers));
  if (type !== undefined) headers.push({ name: 'Content-Type', value: type });
  if (needsPrack(request, said) && !names100rel(response, 'Require')) {
    headers.push({ name: 'Require', value: '100rel' });
  }
  response.body = said.body;
  return response;
}

/** Whatever begins a dialog or refreshes its target says where we are (RFC 3261 §12.1.1, RFC 3311 §5.2). */
function needsContact(method: string, status: number): boolean {
  if (method === 'INVITE') return status > 100 && status < 300;
  return (method === 'SUBSCRIBE' || method === 'UPDATE') && status >= 200 && status < 300;
}

/** The To tag that the application chose for a dialog, if it did. */
export function chosenTag(said: SipResponse): string | undefined {
  const to = said.headers.find(({ name }) => name === 'To');
  return (to && parseNameAddr(to.value)?.params.get('tag')) ?? undefined;
}

const names100rel = (message: SipMessage, name: 'Require' | 'Supported'): boolean =>
  headersOf(message, name).some((tag) => tag.toLowerCase() === '100rel');

/** A provisional response that the application, or the caller for all of them, wants acknowledged (RFC 3262 §3). */
export const needsPrack = (request: SipRequest, said: SipResponse): boolean =>
  said.status > 100 && said.status < 200 && (names100rel(said, 'Require') || requiresPrack(request));

const requiresPrack = (request: SipRequest): boolean =>
  request.method === 'INVITE' && names100rel(request, 'Require');

/** Whether the caller can acknowledge provisional responses. */
export const offersPrack = (request: SipRequest): boolean =>
  requiresPrack(request) || (request.method === 'INVITE' && names100rel(request, 'Supported'));
