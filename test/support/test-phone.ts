import { newDialog, newRequest, responseHeaders } from './dialog.ts';
import { authorization, type DigestAlgorithm, parseChallenge } from './digest-client.ts';
import { IncomingCall } from './incoming-call.ts';
import { type CallContext, PhoneCall, type Provisional } from './phone-call.ts';
import type { Codec } from './phone-codecs.ts';
import { RtpEndpoint } from './rtp-endpoint.ts';
import { SipClient } from './sip-client.ts';
import { hostOf, parameter, type SipHeaders, type SipRequest, type SipResponse } from './sip-message.ts';
import type { Peer, PhoneTls, SipTransportName } from './sip-transport.ts';
import type { Suite } from './srtp.ts';

export interface TestPhoneOptions {
  /** Our address, for SIP and RTP. */
  host?: string;
  /** 0 = a free one. */
  sipPort?: number;
  transport?: SipTransportName;
  /** For `transport: 'tls'`. */
  tls?: PhoneTls;
  username?: string;
  password?: string;
  /** Which challenge is answered when there are several; by default the first that is known. */
  digestAlgorithm?: DigestAlgorithm;
  userAgent?: string;
  /** Audio per packet that we send: 10, 20, 30, 40 or 60 ms. */
  ptimeMs?: 10 | 20 | 30 | 40 | 60;
  /** What is offered, by preference. */
  codecs?: readonly Codec[];
  /** Offers and answers RTP/SAVP with a key of this suite. */
  srtp?: Suite;
  /** T1 in ms, for a test that cannot wait 32 s for a timeout. */
  t1Ms?: number;
}

export interface CallOptions {
  headers?: Record<string, string>;
  /** Our own offer (the default), none (late offer), this text, or our own changed. */
  sdp?: 'offer' | 'late' | string | ((offer: string) => string);
  /** User part of From; the username by default. */
  from?: string;
  /** Gives up after that long; the CANCEL still waits for a provisional answer. */
  cancelAfterMs?: number;
  onProvisional?: (response: Provisional, call: PhoneCall) => void;
  /** The 2xx is not acknowledged until `call.ack()`. */
  withholdAck?: boolean;
}

/**
 * A SIP and RTP phone for tests and the demo: calls, speaks, hears, hangs up, and keeps what it saw for assertions. It
 * shares no code with the gateway. One phone may hold many calls. With `answer` it takes calls as well.
 *
 * @example
 * const phone = new TestPhone({ username: 'acme', password: 'secret' });
 * await phone.start();
 * const call = await phone.call('sip:sess_…@127.0.0.1:5060');
 * await call.media.play(readWav(speechFile));
 * await call.bye();
 * await phone.stop();
 */
export class TestPhone {
  readonly host: string;
  readonly client: SipClient;
  readonly #options: TestPhoneOptions;
  readonly #calls = new Map<string, PhoneCall>();
  readonly #incoming = new Map<string, IncomingCall>();
  #handler: ((incoming: IncomingCall) => void | Promise<void>) | undefined;

  constructor(options: TestPhoneOptions = {}) {
    this.#options = options;
    this.host = options.host ?? '127.0.0.1';
    this.client = new SipClient({
      transport: options.transport ?? 'udp',
      host: this.host,
      port: options.sipPort ?? 0,
      tls: options.tls,
      t1Ms: options.t1Ms,
      onRequest: (request, from) => this.#onRequest(request, from),
      onRepeatedAnswer: (response) => this.#callOf(response.headers)?.onRepeatedAnswer(),
    });
  }

  async start(): Promise<this> {
    await this.client.open();
    return this;
  }

  /** Hangs up what is still up, without waiting for long, and closes all sockets. */
  async stop(): Promise<void> {
    const open = [...this.#calls.values()].filter((call) => call.isUp);
    const byes = open.map((call) => call.bye().catch(() => undefined));
    await Promise.race([Promise.all(byes), new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    for (const call of this.#calls.values()) call.media.close();
    await this.client.close();
  }

  get port(): number {
    return this.client.transport.port;
  }

  /** Where others reach this phone. */
  get uri(): string {
    return `sip:${this.#user}@${this.client.sentBy}`;
  }

  get #user(): string {
    return this.#options.username ?? 'phone';
  }

  /**
   * Calls, answers one digest challenge, acknowledges.
   * @returns the call at its final answer, whatever that is: look at `status`
   * @throws Error when no answer comes within 64 T1
   */
  async call(uri: string, options: CallOptions = {}): Promise<PhoneCall> {
    const { host, port } = hostOf(uri);
    const peer = await this.client.transport.peer(host, port);
    const context = this.#context();
    const media = await RtpEndpoint.open(this.host, context.ptimeMs, context.codecs);
    const call = new PhoneCall(context, media, newDialog(uri, options.from ?? this.#user, this.client), peer);
    call.withholdAck = options.withholdAck ?? false;
    this.#calls.set(call.dialog.callId, call);
    const cancelTimer =
      options.cancelAfterMs === undefined
        ? undefined
        : setTimeout(() => void call.cancel().catch(() => {}), options.cancelAfterMs);
    try {
      await this.#invite(call, peer, options);
    } catch (error) {
      media.close();
      throw error;
    } finally {
      clearTimeout(cancelTimer);
    }
    return call;
  }

  /** Sends a request outside of any dialog, answers one challenge, and returns the final answer. */
  async request(
    method: string,
    uri: string,
    options: {
      headers?: Record<string, string>;
      body?: string;
      from?: string;
      answerChallenge?: boolean;
    } = {},
  ): Promise<SipResponse> {
    const { host, port } = hostOf(uri);
    const peer = await this.client.transport.peer(host, port);
    const dialog = newDialog(uri, options.from ?? this.#user, this.client);
    if (method === 'REGISTER') dialog.remote = dialog.local.split(';')[0]!;
    const build = (more: Record<string, string>): SipRequest =>
      newRequest(dialog, this.#context(), method, { ...options.headers, ...more }, options.body);
    return this.#sendWithDigest(build, peer, options.answerChallenge ?? true, () => {});
  }

  /** Sends bytes as they are. @param to `sip:` URI of the receiver */
  async sendRaw(bytes: string | Uint8Array, to: string): Promise<void> {
    const { host, port } = hostOf(to);
    (await this.client.transport.peer(host, port)).send(Buffer.from(bytes));
  }

  /** Takes calls from now on: the handler rings, accepts or refuses. Without one an INVITE is answered 486. */
  answer(handler: (incoming: IncomingCall) => void | Promise<void>): void {
    this.#handler = handler;
  }

  async #invite(call: PhoneCall, peer: Peer, options: CallOptions): Promise<void> {
    const own = call.localSdp();
    const { sdp = 'offer' } = options;
    const body = sdp === 'offer' ? own : sdp === 'late' ? '' : typeof sdp === 'function' ? sdp(own) : sdp;
    call.sent(body);
    const type: Record<string, string> = body ? { 'Content-Type': 'application/sdp' } : {};
    const startedAt = performance.now();
    const build = (more: Record<string, string>) => {
      call.invite = newRequest(
        call.dialog,
        this.#context(),
        'INVITE',
        { ...type, ...options.headers, ...more },
        body,
      );
      return call.invite;
    };
    const answer = await this.#sendWithDigest(build, peer, true, (response) => {
      call.onProvisional(response, performance.now() - startedAt);
      options.onProvisional?.(call.provisional.at(-1)!, call);
    });
    await call.onFinal(answer, performance.now() - startedAt, body === '');
  }

  async #sendWithDigest(
    build: (more: Record<string, string>) => SipRequest,
    peer: Peer,
    answerChallenge: boolean,
    onProvisional: (response: SipResponse) => void,
  ): Promise<SipResponse> {
    const first = build({});
    const response = await this.client.send(first, peer, onProvisional);
    const { username, password } = this.#options;
    const given = first.headers.get('authorization') !== undefined;
    if (!answerChallenge || given || username === undefined || password === undefined) return response;
    if (response.status !== 401 && response.status !== 407) return response;
    const proxy = response.status === 407;
    const offered = response.headers
      .all(proxy ? 'proxy-authenticate' : 'www-authenticate')
      .map(parseChallenge);
    const wanted = this.#options.digestAlgorithm;
    const challenge = offered.find((one) => one && (wanted === undefined || one.algorithm === wanted));
    if (!challenge) return response;
    const value = authorization(challenge, { method: first.method, uri: first.uri, username, password });
    return this.client.send(
      build({ [proxy ? 'Proxy-Authorization' : 'Authorization']: value }),
      peer,
      onProvisional,
    );
  }

  #onRequest(request: SipRequest, from: Peer): void {
    const call = this.#callOf(request.headers);
    const incoming = this.#incoming.get(request.headers.get('call-id') ?? '');
    if (request.method === 'CANCEL') this.#onCancel(request, from);
    else if (request.method === 'PRACK' && incoming) incoming.onPrack(request, from);
    else if (call && parameter(request.headers.get('to'), 'tag')) call.onDialogRequest(request, from);
    else if (request.method === 'INVITE' && this.#handler) this.#onInvite(request, from, this.#handler);
    else if (request.method !== 'ACK') this.#answerStranger(request, from);
  }

  #answerStranger(request: SipRequest, from: Peer): void {
    const answers: Record<string, [number, string]> = { INVITE: [486, 'Busy Here'], OPTIONS: [200, 'OK'] };
    const [status, reason] = answers[request.method] ?? [481, 'Call/Transaction Does Not Exist'];
    this.client.respond(request, from, { status, reason, headers: responseHeaders(request), body: '' });
  }

  #onInvite(
    request: SipRequest,
    from: Peer,
    handler: (incoming: IncomingCall) => void | Promise<void>,
  ): void {
    const incoming = new IncomingCall(this.#context(), request, from, (call) =>
      this.#calls.set(call.dialog.callId, call),
    );
    this.#incoming.set(request.headers.get('call-id')!, incoming);
    this.client.respond(request, from, {
      status: 100,
      reason: 'Trying',
      headers: incoming.headers(),
      body: '',
    });
    Promise.resolve(handler(incoming)).catch((error: Error) =>
      incoming.reject(500, error.message.slice(0, 80)),
    );
  }

  #onCancel(request: SipRequest, from: Peer): void {
    const incoming = this.#incoming.get(request.headers.get('call-id')!);
    const [status, reason] = incoming ? [200, 'OK'] : [481, 'No Call'];
    const headers = responseHeaders(request, incoming?.tag);
    this.client.respond(request, from, { status, reason, headers, body: '' });
    incoming?.onCancel();
  }

  #callOf(headers: SipHeaders): PhoneCall | undefined {
    return this.#calls.get(headers.get('call-id') ?? '');
  }

  #context(): CallContext {
    const { transport: name = 'udp' } = this.#options;
    const transport = name === 'udp' ? '' : `;transport=${name}`;
    return {
      client: this.client,
      contact: `<${this.uri}${transport}>`,
      userAgent: this.#options.userAgent ?? 'TestPhone/1.0',
      codecs: this.#options.codecs ?? ['PCMU', 'PCMA'],
      ptimeMs: this.#options.ptimeMs ?? 20,
      srtp: this.#options.srtp,
    };
  }
}
