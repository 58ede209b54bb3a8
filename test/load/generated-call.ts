import { randomUUID } from 'node:crypto';
import type { CallTransport } from './call-transport.ts';

const T1 = 500;
const T2 = 4_000;
/** ms after which a request that nobody answered has failed (RFC 3261, timers B and F). */
const GIVE_UP_MS = 64 * T1;

const offer = (rtpPort: number): string =>
  `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${rtpPort} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n`;

/** What a call tells its generator. */
export interface CallEvents {
  /** The final answer to the INVITE, so long after it. */
  answered(status: number, afterMs: number): void;
  sentAgain(): void;
  over(failure: string | undefined): void;
}

/**
 * One call of the generator: INVITE, 200, ACK, BYE, 200, written by hand so that it costs next to nothing. It knows as much
 * of SIP as it needs against this gateway.
 */
export class GeneratedCall {
  readonly callId = randomUUID();
  readonly #transport: CallTransport;
  readonly #lane: number;
  readonly #events: CallEvents;
  readonly #uri: string;
  readonly #head: (method: string, cseq: number, branch: string) => string;
  #to: string;
  #target: string;
  #startedAt = 0;
  #waitsFor: 'INVITE' | 'BYE' | undefined;
  #ack = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(transport: CallTransport, lane: number, uri: string, events: CallEvents) {
    this.#transport = transport;
    this.#lane = lane;
    this.#events = events;
    this.#uri = uri;
    this.#target = uri;
    this.#to = `<${uri}>`;
    const sentBy = transport.sentBy(lane);
    const parameter = transport.name === 'udp' ? '' : `;transport=${transport.name}`;
    const tag = this.callId.slice(0, 8);
    this.#head = (method, cseq, branch) =>
      `${method} ${method === 'INVITE' ? this.#uri : this.#target} SIP/2.0\r\n` +
      `Via: SIP/2.0/${transport.name.toUpperCase()} ${sentBy};rport;branch=z9hG4bK${branch}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:load@${sentBy}>;tag=${tag}\r\nTo: ${this.#to}\r\nCall-ID: ${this.callId}\r\n` +
      `CSeq: ${cseq} ${method}\r\nContact: <sip:load@${sentBy}${parameter}>\r\n`;
  }

  start(rtpPort: number): void {
    const sdp = offer(rtpPort);
    const branch = `${this.callId}i`;
    this.#startedAt = performance.now();
    this.#request(
      'INVITE',
      `${this.#head('INVITE', 1, branch)}Content-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`,
    );
  }

  /** A response of this call. */
  receive(status: number, method: string, text: string): void {
    if (method !== this.#waitsFor) {
      // A final answer that comes again wants its ACK again.
      if (method === 'INVITE' && status >= 200 && this.#ack !== '') this.#send(this.#ack);
      return;
    }
    if (status < 200) {
      // The INVITE has come: only its answer is waited for.
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#end('no final answer to INVITE'), GIVE_UP_MS);
    } else if (method === 'INVITE') {
      this.#events.answered(status, performance.now() - this.#startedAt);
      if (status === 200) this.#accepted(text);
      else this.#refused(status, text);
    } else this.#end(status === 200 ? undefined : `${method}: ${status}`);
  }

  /** The gateway has hung up first, or a call that is over here already. */
  hungUp(): void {
    if (this.#waitsFor !== undefined) this.#end('the gateway hung up');
  }

  #accepted(text: string): void {
    this.#to = headerOf(text, 'To');
    this.#target = /<([^>]+)>/.exec(headerOf(text, 'Contact'))?.[1] ?? this.#uri;
    this.#ack = `${this.#head('ACK', 1, `${this.callId}a`)}Content-Length: 0\r\n\r\n`;
    this.#send(this.#ack);
    this.#request('BYE', `${this.#head('BYE', 2, `${this.callId}b`)}Content-Length: 0\r\n\r\n`);
  }

  /** Its ACK is of the INVITE's transaction (RFC 3261 §17.1.1.3). */
  #refused(status: number, text: string): void {
    this.#to = headerOf(text, 'To');
    this.#ack = `${this.#head('ACK', 1, `${this.callId}i`)}Content-Length: 0\r\n\r\n`;
    this.#send(this.#ack);
    this.#end(`INVITE: ${status}`);
  }

  /** Sends a request, and over UDP sends it again until there is an answer. */
  #request(method: 'INVITE' | 'BYE', text: string): void {
    this.#waitsFor = method;
    this.#send(text);
    clearTimeout(this.#timer);
    const giveUpAt = performance.now() + GIVE_UP_MS;
    const again = (ms: number): void => {
      const wait = this.#transport.name === 'udp' ? ms : GIVE_UP_MS;
      this.#timer = setTimeout(() => {
        if (performance.now() >= giveUpAt - 1) return this.#end(`no answer to ${method}`);
        this.#events.sentAgain();
        this.#send(text);
        again(method === 'BYE' ? Math.min(T2, ms * 2) : ms * 2);
      }, wait);
    };
    again(T1);
  }

  #send(text: string): void {
    this.#transport.send(text, this.#lane);
  }

  #end(failure: string | undefined): void {
    clearTimeout(this.#timer);
    this.#waitsFor = undefined;
    this.#events.over(failure);
  }
}

/** The value of a header as this gateway writes it. */
export function headerOf(text: string, name: string): string {
  const start = text.indexOf(`\r\n${name}: `);
  return start < 0 ? '' : text.slice(start + name.length + 4, text.indexOf('\r\n', start + 2));
}
