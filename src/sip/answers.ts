import { type Refusal, reasonOfRefusal, refusals } from '../errors.ts';
import { type RefusalBook, writeDown } from '../telemetry/refusal-book.ts';
import type { SipRequest, SipResponse } from './srf-port.ts';

/** What this gateway takes, in and out of dialogs; only what is there (decisions §3, §9). */
export const ALLOW = 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REGISTER';
export const SUPPORTED: readonly string[] = ['100rel', 'timer'];
export const ACCEPT = 'application/sdp, multipart/mixed';

/** What names a refusal in its answer, and says what it is in the words of the telephone network. */
export const naming = (code: Refusal['code']): Record<string, string> => ({
  'X-Kallglot-Error': code,
  Reason: reasonOfRefusal(code),
});

/**
 * Answers a request with a refusal and writes it down once. Refusals from row 4 on name their code (decisions §3).
 * @param extra headers that only this case has, such as a challenge
 */
export function refuse(
  book: RefusalBook,
  request: SipRequest,
  response: SipResponse,
  refusal: Refusal,
  extra: Record<string, string> = {},
): void {
  const { code, detail } = refusal;
  const { status, named, retryAfter } = { retryAfter: undefined, ...refusals[code] };
  const headers: Record<string, string> = { ...headersOf(code), ...(named && naming(code)), ...extra };
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter);
  if (status === 488) headers.Warning = `305 kallglot "${quotable(refusal.message)}"`;
  if (named && status === 400) headers.Warning = `399 kallglot "${quotable(refusal.message)}"`;
  if (!response.finalResponseSent) response.send(status, { headers });
  writeDown(book, {
    ...{ code, status, method: request.method },
    source: `${request.source_address}:${request.source_port}`,
    call_id: request.get('Call-ID') ?? '',
    called: request.uri,
    detail: detail ?? null,
  });
}

/** Before the answer, ours or to our own offer, nothing is agreed that an offer could change (RFC 3311 §5.2); without one it refreshes the dialog. */
export function answerEarlyUpdate(update: SipRequest, response: SipResponse): void {
  if (update.body) response.send(500, { headers: { 'Retry-After': '2' } });
  else response.send(200, { headers: { Allow: ALLOW } });
}

function headersOf(code: Refusal['code']): Record<string, string> {
  if (code === 'method_not_allowed') return { Allow: ALLOW };
  if (code === 'content_type_unsupported') return { Accept: ACCEPT };
  return {};
}

/** Text for a quoted string (RFC 3261 §25.1): printable ASCII, without quotes and backslashes, of bounded length. */
const quotable = (text: string): string => text.replace(/[^\x20-\x7e]|["\\]/g, "'").slice(0, 200);
