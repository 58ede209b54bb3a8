import type { AppEvent, Outcome } from './app-link.ts';
import { header, type SipRequest, type SipResponse } from './message.ts';
import type { Flow } from './transport.ts';
import { reasonPhrase } from './write-response.ts';

/** How the application is told of what became of its requests (protocol page §4). */

export const refused = (why: string): Outcome => ({ refused: why });

/** What an echo says of the way that a request takes: our own end of it. */
export const sentBy = ({ transport, local }: Flow) => ({
  protocol: transport,
  address: local.address,
  port: local.port,
});

/** A response that came by `flow`. */
export function responseEvent(
  transactionId: string,
  dialogId: string,
  message: SipResponse,
  flow: Flow,
): AppEvent {
  const { address, port } = flow.remote;
  const protocol = flow.transport;
  return { source: 'network', protocol, address, port, transactionId, dialogId, message };
}

const localReasons = { 408: 'Request Timeout', 503: 'Service Unavailable' } as const;

/**
 * The response that stands for the one that did not come (RFC 3261 §8.1.3.1): it has no source.
 * @param why of what could not be sent, in words; they stand in the reason phrase
 */
export function localEvent(
  transactionId: string,
  dialogId: string,
  request: SipRequest,
  status: 408 | 503,
  flow: Flow,
  why?: string,
): AppEvent {
  const headers = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => ({
    name,
    value: header(request, name) ?? '',
  }));
  const reason = why === undefined ? localReasons[status] : `${localReasons[status]} (${reasonPhrase(why)})`;
  const message: SipResponse = { kind: 'response', status, reason, headers, body: Buffer.alloc(0) };
  return { ...responseEvent(transactionId, dialogId, message, flow), address: '', port: 0 };
}
