import { cancelOf, type Dialog, type Identity, newRequest, nextHop, responseHeaders } from './dialog.ts';
import type { Codec } from './phone-codecs.ts';
import { type Direction, mirrored, parseSdp, type RemoteSdp, writeSdp } from './phone-sdp.ts';
import { bindPair, closePair } from './port-pair.ts';
import type { RtpEndpoint } from './rtp-endpoint.ts';
import { SipHeaders, type SipRequest, type SipResponse, uriOf } from './sip-message.ts';
import type { Peer } from './sip-transport.ts';
import { type CryptoLine, cryptoLines, newKey, type Suite } from './srtp.ts';

/** What a call needs of its phone. */
export interface CallContext extends Identity {
  readonly codecs: readonly Codec[];
  readonly ptimeMs: number;
  /** Offers and answers RTP/SAVP with a key of this suite. */
  readonly srtp: Suite | undefined;
}

export interface Provisional extends SipResponse {
  /** ms since the first INVITE was sent. */
  afterMs: number;
}

export interface CallEnd {
  by: 'local' | 'remote';
  /** The `Reason` header of a BYE or refusal that came from the other side. */
  reasonHeader: string | undefined;
  /** ms of `performance.now()`. */
  at: number;
}

export interface ReinviteOptions {
  direction?: Direction;
  codec?: Codec;
  /** Moves the media to another pair of ports. */
  newPort?: boolean;
  /** A new key of ours. */
  rekey?: boolean;
  /** Without SDP; the answer goes into the ACK. */
  late?: boolean;
  /** What is offered instead of our own SDP. */
  sdp?: string;
}

export interface ReinviteResult {
  status: number;
  reason: string;
  headers: SipHeaders;
  /** SDP of the 2xx, and what it says. */
  sdp: string;
  remote: RemoteSdp | undefined;
}

/** One call of a test phone, outgoing or incoming. Until the final answer only `cancel` may be called. */
export class PhoneCall {
  readonly media: RtpEndpoint;
  readonly dialog: Dialog;
  /** The final answer; 0 before it. */
  status = 0;
  reason = '';
  headers = new SipHeaders();
  /** The SDP in the 2xx (late offer: the offer), and what the latest SDP of the other side says. */
  answerSdp = '';
  remote: RemoteSdp | undefined;
  readonly provisional: Provisional[] = [];
  answeredAfterMs: number | undefined;
  /** The INVITE as it was last sent or received; its headers hold the `Authorization` that was used. */
  invite: SipRequest | undefined;
  /** Requests that came inside the dialog, the latest last. */
  readonly requests: SipRequest[] = [];
  /** Answers a request inside the dialog in place of the usual 200; undefined: as usual. BYE always ends the call. */
  onRequest: (request: SipRequest) => { status: number; reason: string } | undefined = () => undefined;
  /** Resolves once, when the call is over or was refused. */
  readonly ended: Promise<CallEnd>;
  /** How many answers came again because their ACK was late or withheld. */
  repeatedAnswers = 0;
  withholdAck = false;
  isUp = false;
  readonly #context: CallContext;
  readonly #sdpId = Math.floor(Math.random() * 1e9);
  #sdpVersion = 1;
  #direction: Direction = 'sendrecv';
  #codecs: readonly Codec[];
  #crypto: CryptoLine | undefined;
  /** The keys in the SDP that we sent last, whoever wrote it. */
  #sentCrypto: CryptoLine[] = [];
  #lastAck: { request: SipRequest; peer: Peer } | undefined;
  #cancelOnProvisional: (() => void) | undefined;
  #setEnded: (end: CallEnd) => void = () => {};
  readonly #peer: Peer;

  constructor(context: CallContext, media: RtpEndpoint, dialog: Dialog, peer: Peer) {
    this.#context = context;
    this.media = media;
    this.dialog = dialog;
    this.#peer = peer;
    this.#codecs = context.codecs;
    this.#crypto = context.srtp && { tag: 1, suite: context.srtp, key: newKey(context.srtp) };
    this.ended = new Promise((resolve) => {
      this.#setEnded = resolve;
    });
  }

  /** Sends a request inside the dialog. */
  async request(
    method: string,
    options: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<SipResponse> {
    const request = newRequest(this.dialog, this.#context, method, options.headers, options.body);
    return this.#context.client.send(request, await nextHop(this.dialog, this.#context.client));
  }

  options(): Promise<SipResponse> {
    return this.request('OPTIONS');
  }

  info(contentType: string, body: string): Promise<SipResponse> {
    return this.request('INFO', { headers: { 'Content-Type': contentType }, body });
  }

  /** Hangs up. @returns the answer to the BYE */
  bye(headers: Record<string, string> = {}): Promise<SipResponse> {
    const answer = this.request('BYE', { headers });
    this.end({ by: 'local', reasonHeader: undefined });
    return answer;
  }

  /**
   * Takes back the INVITE: CANCEL goes out once there is a provisional answer (RFC 3261 §9.1), or at once with `now`.
   * The call's own answer, 487 as a rule, comes by `phone.call`.
   * @returns the answer to the CANCEL
   */
  cancel(options: { now?: boolean } = {}): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const send = (): void => {
        this.#context.client.send(cancelOf(this.invite!), this.#peer).then(resolve, reject);
      };
      if (options.now || this.provisional.length > 0) send();
      else this.#cancelOnProvisional = send;
    });
  }

  /** Acknowledges the 2xx (RFC 3261 §13.2.2.4): to the answer's Contact, in a transaction of its own. */
  async ack(body = ''): Promise<void> {
    const headers: Record<string, string> = body ? { 'Content-Type': 'application/sdp' } : {};
    const request = newRequest(this.dialog, this.#context, 'ACK', headers, body);
    this.#lastAck = { request, peer: await nextHop(this.dialog, this.#context.client) };
    this.#context.client.sendOnce(this.#lastAck.request, this.#lastAck.peer);
  }

  /** Acknowledges a reliable provisional answer, in the dialog that it began (RFC 3262 §4). */
  prack(answer: SipResponse): Promise<SipResponse> {
    this.dialog.remote = answer.headers.get('to')!;
    this.#takeTarget(answer.headers);
    const RAck = `${answer.headers.get('rseq')} ${answer.headers.get('cseq')}`;
    return this.request('PRACK', { headers: { RAck } });
  }

  /** Changes the session. What was agreed before stays when the answer is not 2xx. */
  async reinvite(options: ReinviteOptions = {}): Promise<ReinviteResult> {
    const before = { direction: this.#direction, codecs: this.#codecs };
    const pair = options.newPort ? await bindPair(this.media.host) : undefined;
    this.#direction = options.direction ?? this.#direction;
    if (options.codec) this.#codecs = [options.codec];
    this.#sdpVersion++;
    if (options.rekey && this.#crypto) this.#crypto = { ...this.#crypto, key: newKey(this.#crypto.suite) };
    const offer = options.late ? '' : (options.sdp ?? this.localSdp(pair?.port));
    this.sent(offer);
    const type: Record<string, string> = offer ? { 'Content-Type': 'application/sdp' } : {};
    const { status, reason, headers, body } = await this.request('INVITE', { headers: type, body: offer });
    if (status >= 300) {
      this.#direction = before.direction;
      this.#codecs = before.codecs;
      if (pair) closePair(pair);
      return { status, reason, headers, sdp: body, remote: undefined };
    }
    if (pair) this.media.move(pair);
    this.#takeTarget(headers);
    const remote = this.#applyRemote(body, options.late ? 'offer' : 'answer');
    if (options.direction) this.#direction = options.direction;
    await this.ack(options.late ? this.localSdp() : '');
    return { status, reason, headers, sdp: body, remote };
  }

  /** Our SDP as it stands. */
  localSdp(port = this.media.port): string {
    return writeSdp({
      address: this.media.host,
      port,
      codecs: this.#codecs,
      direction: this.#direction,
      ptimeMs: this.#context.ptimeMs,
      sessionId: this.#sdpId,
      version: this.#sdpVersion,
      crypto: this.#crypto,
    });
  }

  // From here on: what the phone tells the call. Tests do not call these.

  /** This SDP goes out. */
  sent(sdp: string): void {
    this.#sentCrypto = cryptoLines(sdp);
  }

  onProvisional(response: SipResponse, afterMs: number): void {
    this.provisional.push({ ...response, afterMs });
    this.#cancelOnProvisional?.();
    this.#cancelOnProvisional = undefined;
  }

  /** The INVITE got its final answer: a dialog, acknowledged unless that is withheld, or the end. */
  async onFinal(answer: SipResponse, afterMs: number, lateOffer: boolean): Promise<void> {
    this.answeredAfterMs = afterMs;
    this.status = answer.status;
    this.reason = answer.reason;
    this.headers = answer.headers;
    if (answer.status >= 300) {
      this.end({ by: 'remote', reasonHeader: answer.headers.get('reason') });
      return;
    }
    this.isUp = true;
    this.dialog.remote = answer.headers.get('to')!;
    this.dialog.routes = answer.headers.all('record-route').reverse();
    this.#takeTarget(answer.headers);
    this.answerSdp = answer.body;
    if (answer.body) this.#applyRemote(answer.body, lateOffer ? 'offer' : 'answer');
    if (!this.withholdAck) await this.ack(lateOffer ? this.localSdp() : '');
  }

  /** A 2xx came again. */
  onRepeatedAnswer(): void {
    this.repeatedAnswers++;
    if (this.#lastAck && !this.withholdAck) {
      this.#context.client.sendOnce(this.#lastAck.request, this.#lastAck.peer);
    }
  }

  /** An incoming call is about to be answered. */
  onAccepted(invite: SipRequest, echo: boolean): void {
    this.isUp = true;
    this.invite = invite;
    this.media.echo = echo;
    if (echo) this.media.mute();
    if (invite.body) this.#applyRemote(invite.body, 'offer');
  }

  /** A request inside the dialog came; an ACK may carry the answer to a late offer. */
  onDialogRequest(request: SipRequest, from: Peer): void {
    this.requests.push(request);
    if (request.method === 'ACK') {
      if (request.body) this.#applyRemote(request.body, 'answer');
      return;
    }
    const other = request.method === 'BYE' ? undefined : this.onRequest(request);
    if (other) this.#respond(request, from, other);
    else if (request.method === 'INVITE' || request.method === 'UPDATE') this.#answerOffer(request, from);
    else this.#respond(request, from, { status: 200, reason: 'OK' });
    if (request.method === 'BYE') this.end({ by: 'remote', reasonHeader: request.headers.get('reason') });
  }

  /** Ends the call on our side, once; nothing is sent. */
  end(how: Omit<CallEnd, 'at'>): void {
    this.isUp = false;
    this.media.close();
    this.#setEnded({ ...how, at: performance.now() });
  }

  /** Sends media where the SDP says, in the first of its codecs that we have. */
  #applyRemote(sdp: string, as: 'offer' | 'answer'): RemoteSdp {
    this.remote = parseSdp(sdp);
    if (as === 'offer') this.#answerTo(this.remote);
    this.#applyKeys(this.remote);
    const { address, port, eventPayloadType, direction } = this.remote;
    const codec = this.#agreed(this.remote) ?? 'PCMU';
    this.media.configure({ address, port, codec, eventPayloadType, direction: mirrored[direction] });
    return this.remote;
  }

  /** The keys that offer and answer have with the same tag. */
  #applyKeys({ crypto }: RemoteSdp): void {
    const theirs = crypto.find((one) => this.#sentCrypto.some(({ tag }) => tag === one.tag));
    const ours = this.#sentCrypto.find(({ tag }) => tag === theirs?.tag);
    if (theirs && ours) this.media.secure(ours, theirs);
  }

  /** The first codec of their list that is in ours. */
  #agreed(remote: RemoteSdp): Codec | undefined {
    return remote.codecs.find((one) => this.#context.codecs.includes(one));
  }

  /** From now on our SDP is an answer to that offer. */
  #answerTo(offer: RemoteSdp): void {
    const codec = this.#agreed(offer);
    this.#direction = mirrored[offer.direction];
    if (codec) this.#codecs = [codec];
    const theirs = offer.crypto.find(({ suite }) => suite === this.#crypto?.suite);
    if (theirs === undefined || this.#crypto === undefined) return;
    this.#crypto = { ...this.#crypto, tag: theirs.tag };
    this.#sentCrypto = [this.#crypto];
  }

  #answerOffer(request: SipRequest, from: Peer): void {
    this.#takeTarget(request.headers);
    this.#sdpVersion++;
    this.#direction = 'sendrecv';
    if (request.body) this.#applyRemote(request.body, 'offer');
    const withSdp = request.body !== '' || request.method === 'INVITE';
    this.#respond(request, from, { status: 200, reason: 'OK' }, withSdp ? this.localSdp() : '');
  }

  #respond(request: SipRequest, from: Peer, answer: { status: number; reason: string }, body = ''): void {
    const headers = responseHeaders(request).add('Contact', this.#context.contact);
    if (body) headers.add('Content-Type', 'application/sdp');
    this.#context.client.respond(request, from, { ...answer, headers, body });
  }

  #takeTarget(headers: SipHeaders): void {
    const contact = headers.get('contact');
    if (contact) this.dialog.target = uriOf(contact);
  }
}
