import { newRequest, responseHeaders } from './dialog.ts';
import { type CallContext, PhoneCall } from './phone-call.ts';
import { RtpEndpoint } from './rtp-endpoint.ts';
import { newToken } from './sip-client.ts';
import { type SipHeaders, type SipRequest, type SipResponse, uriOf } from './sip-message.ts';
import type { Peer } from './sip-transport.ts';

/** An INVITE that a test phone received and has not answered yet. */
export class IncomingCall {
  readonly invite: SipRequest;
  /** Resolves when the caller takes it back; 487 has been sent then, unless it ignores that. */
  readonly canceled: Promise<void>;
  /** Our tag in `To`. */
  readonly tag = newToken();
  /** A CANCEL comes too late for it: `canceled` resolves, and the INVITE is still to be answered. */
  ignoresCancel = false;
  readonly #context: CallContext;
  readonly #from: Peer;
  readonly #onAccepted: (call: PhoneCall) => void;
  #answered = false;
  #setCanceled: () => void = () => {};
  #setPracked: (prack: SipRequest) => void = () => {};

  constructor(context: CallContext, invite: SipRequest, from: Peer, onAccepted: (call: PhoneCall) => void) {
    this.#context = context;
    this.invite = invite;
    this.#from = from;
    this.#onAccepted = onAccepted;
    this.canceled = new Promise((resolve) => {
      this.#setCanceled = resolve;
    });
  }

  /** Headers of an answer to it, with our tag. */
  headers(): SipHeaders {
    return responseHeaders(this.invite, this.tag).add('Contact', this.#context.contact);
  }

  /** @param sdp early media: an answer that is none yet, unless it is sent reliably */
  ring(status = 180, reason = 'Ringing', sdp = '', extra: Readonly<Record<string, string>> = {}): void {
    const type: Record<string, string> = sdp === '' ? {} : { 'Content-Type': 'application/sdp' };
    if (!this.#answered) this.#respond(status, reason, { ...type, ...extra }, sdp);
  }

  /** Rings until the caller's PRACK comes (RFC 3262); the phone answers that. */
  async ringReliably(sdp = ''): Promise<SipRequest> {
    const pracked = new Promise<SipRequest>((resolve) => {
      this.#setPracked = resolve;
    });
    this.ring(183, 'Session Progress', sdp, { Require: '100rel', RSeq: '1' });
    return pracked;
  }

  /** Sends a request in the early dialog, before the call is answered. */
  async request(method: string, body = ''): Promise<SipResponse> {
    const headers = this.headers();
    const dialog = {
      callId: headers.get('call-id')!,
      local: headers.get('to')!,
      remote: headers.get('from')!,
      target: uriOf(this.invite.headers.get('contact')!),
      routes: this.invite.headers.all('record-route'),
      cseq: 100,
    };
    const type: Record<string, string> = body === '' ? {} : { 'Content-Type': 'application/sdp' };
    return this.#context.client.send(newRequest(dialog, this.#context, method, type, body), this.#from);
  }

  reject(status: number, reason: string, extra: Readonly<Record<string, string>> = {}): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#respond(status, reason, extra);
  }

  /**
   * Answers 200 with our SDP: an answer to the offer, or an offer when the INVITE had none.
   * @throws Error when it was answered or canceled before
   */
  async accept(
    options: { headers?: Record<string, string>; echo?: boolean; sdp?: string } = {},
  ): Promise<PhoneCall> {
    const { client, ptimeMs, codecs } = this.#context;
    const media = await RtpEndpoint.open(client.host, ptimeMs, codecs);
    if (this.#answered) {
      media.close();
      throw new Error('the call was answered or canceled before');
    }
    this.#answered = true;
    const { headers } = this.invite;
    const dialog = {
      callId: headers.get('call-id')!,
      local: this.headers().get('to')!,
      remote: headers.get('from')!,
      target: uriOf(headers.get('contact') ?? headers.get('from')!),
      routes: headers.all('record-route'),
      cseq: 0,
    };
    const call = new PhoneCall(this.#context, media, dialog, this.#from);
    call.onAccepted(this.invite, options.echo ?? false);
    this.#onAccepted(call);
    const body = options.sdp ?? call.localSdp();
    const type: Record<string, string> = body === '' ? {} : { 'Content-Type': 'application/sdp' };
    this.#respond(200, 'OK', { ...type, ...options.headers }, body);
    return call;
  }

  /** The phone's: the caller acknowledges a provisional answer. */
  onPrack(prack: SipRequest, from: Peer): void {
    const headers = responseHeaders(prack, this.tag);
    this.#context.client.respond(prack, from, { status: 200, reason: 'OK', headers, body: '' });
    this.#setPracked(prack);
  }

  /** The phone's: the caller gave up. */
  onCancel(): void {
    if (!this.ignoresCancel) this.reject(487, 'Request Terminated');
    this.#setCanceled();
  }

  #respond(status: number, reason: string, extra: Readonly<Record<string, string>> = {}, body = ''): void {
    const headers = this.headers();
    for (const [name, value] of Object.entries(extra)) headers.set(name, value);
    this.#context.client.respond(this.invite, this.#from, { status, reason, headers, body });
  }
}
