import type { Role } from '../../src/roles.ts';
import { type Dialog, newDialog, newRequest, nextHop, responseHeaders } from '../support/dialog.ts';
import type { Codec } from '../support/phone-codecs.ts';
import { parseSdp, writeSdp } from '../support/phone-sdp.ts';
import { SipClient } from '../support/sip-client.ts';
import { type SipRequest, type SipResponse, uriOf } from '../support/sip-message.ts';
import type { Peer } from '../support/sip-transport.ts';
import type { CryptoLine } from '../support/srtp.ts';
import type { Target } from './load-job.ts';
import { inParallel } from './pace.ts';

const HOST = '127.0.0.1';
const USER = 'load';
const HANG_UPS_AT_ONCE = 20;

/** An answered call. */
export interface UpCall {
  readonly dialog: Dialog;
  /** From the INVITE to its 200, ms. */
  readonly setUpMs: number;
  /** Where the gateway receives RTP. */
  readonly remotePort: number;
}

/** An INVITE was refused. */
export class RefusedCall extends Error {
  readonly status: number;
  /** As the gateway said it. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ status, reason, headers }: SipResponse) {
    super(`INVITE: ${status} ${reason}`);
    this.status = status;
    const seconds = Number.parseInt(headers.get('retry-after') ?? '', 10);
    this.retryAfterSeconds = Number.isNaN(seconds) ? undefined : seconds;
  }
}

/** What a call asks for. */
export interface Offered {
  codec: Codec;
  /** Whose leg it is; left to the gateway when absent. */
  role?: Role;
  /** Makes it SRTP. */
  crypto?: CryptoLine | undefined;
}

/** The SIP side of all calls of a load test: INVITE, ACK and BYE over one UDP socket. */
export class SipCaller {
  readonly #target: Target;
  readonly #client: SipClient;
  /** Calls that the gateway has hung up, by Call-ID. */
  readonly ended = new Set<string>();

  private constructor(target: Target) {
    this.#target = target;
    this.#client = new SipClient({
      transport: 'udp',
      host: HOST,
      port: 0,
      onRequest: (request, from) => this.#answer(request, from),
      onRepeatedAnswer: () => undefined,
    });
  }

  static async open(target: Target): Promise<SipCaller> {
    const caller = new SipCaller(target);
    await caller.#client.open();
    return caller;
  }

  /** Requests that were sent again because no answer came in time. */
  get retransmitted(): number {
    return this.#client.counters.retransmitted;
  }

  /** Calls a session and acknowledges the answer. @throws RefusedCall, or Error when there is no answer */
  async call(sessionId: string, rtpPort: number, offered: Offered = { codec: 'PCMU' }): Promise<UpCall> {
    const { host, port } = this.#target.sip;
    const user = offered.role === undefined ? sessionId : `${sessionId};role=${offered.role}`;
    const dialog = newDialog(`sip:${user}@${host}:${port}`, USER, this.#client);
    const invite = this.#request(dialog, 'INVITE', offer(rtpPort, offered));
    const startedAt = performance.now();
    const answer = await this.#client.send(invite, await nextHop(dialog, this.#client));
    const setUpMs = performance.now() - startedAt;
    if (answer.status !== 200) throw new RefusedCall(answer);
    dialog.remote = answer.headers.get('to') ?? '';
    dialog.target = uriOf(answer.headers.get('contact') ?? '');
    this.#client.sendOnce(this.#request(dialog, 'ACK'), await nextHop(dialog, this.#client));
    return { dialog, setUpMs, remotePort: parseSdp(answer.body).port };
  }

  /** @throws Error when the BYE is not answered 200 */
  async hangUp({ dialog }: UpCall): Promise<void> {
    const answer = await this.#client.send(this.#request(dialog, 'BYE'), await nextHop(dialog, this.#client));
    if (answer.status !== 200) throw new Error(`BYE: ${answer.status} ${answer.reason}`);
  }

  /** Those that do not want to end are left. */
  hangUpAll(calls: readonly UpCall[]): Promise<void> {
    return inParallel(calls.length, HANG_UPS_AT_ONCE, (i) =>
      this.hangUp(calls[i] as UpCall).catch(() => undefined),
    );
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #request(dialog: Dialog, method: string, sdp = ''): SipRequest {
    const contact = `<sip:${USER}@${this.#client.sentBy}>`;
    const extra: Record<string, string> = sdp === '' ? {} : { 'Content-Type': 'application/sdp' };
    return newRequest(
      dialog,
      { client: this.#client, contact, userAgent: 'load generator' },
      method,
      extra,
      sdp,
    );
  }

  #answer(request: SipRequest, from: Peer): void {
    if (request.method === 'ACK') return;
    if (request.method === 'BYE') this.ended.add(request.headers.get('call-id') ?? '');
    const headers = responseHeaders(request);
    this.#client.respond(request, from, { status: 200, reason: 'OK', headers, body: '' });
  }
}

function offer(port: number, { codec, crypto }: Offered): string {
  return writeSdp({
    address: HOST,
    port,
    codecs: [codec],
    direction: 'sendrecv',
    ptimeMs: 20,
    sessionId: 1,
    version: 1,
    crypto,
  });
}
