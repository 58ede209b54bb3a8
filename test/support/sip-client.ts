import { randomBytes } from 'node:crypto';
import {
  isRequest,
  parameter,
  parseMessage,
  SipHeaders,
  type SipRequest,
  type SipResponse,
  writeMessage,
} from './sip-message.ts';
import {
  openTransport,
  type Peer,
  type PhoneTls,
  type SipTransport,
  type SipTransportName,
} from './sip-transport.ts';

/**
 * SIP transactions of the test phone, client and server side (RFC 3261 §17): retransmission by T1 over UDP, the ACK to
 * a refusal, answers repeated to repeated requests. Dialogs are in `phone-call.ts`.
 */
const T1_MS = 500;
const T2_MS = 4000;
const MAX_REMEMBERED = 1000;

export const newToken = (): string => randomBytes(8).toString('hex');

export interface ClientOptions {
  transport: SipTransportName;
  host: string;
  port: number;
  tls?: PhoneTls | undefined;
  /** T1 in ms; 64 of it is the time a request has for its final answer. */
  t1Ms?: number;
  /** A request that is no retransmission. CANCEL and ACK come here too. */
  onRequest: (request: SipRequest, from: Peer) => void;
  /** A 2xx to an INVITE that came again: its ACK was lost. */
  onRepeatedAnswer: (response: SipResponse) => void;
}

interface ClientTransaction {
  request: SipRequest;
  peer: Peer;
  onProvisional: (response: SipResponse) => void;
  resolve: (response: SipResponse) => void;
  reject: (error: Error) => void;
  timers: Set<NodeJS.Timeout>;
  state: 'trying' | 'proceeding' | 'done';
}

export class SipClient {
  readonly #options: ClientOptions;
  readonly #t1: number;
  #transport: SipTransport | undefined;
  readonly #clients = new Map<string, ClientTransaction>();
  /** Answers that were sent, by transaction, oldest first. */
  readonly #answers = new Map<string, Buffer | undefined>();
  /** Retransmission of final answers to INVITE, stopped by their ACK; by Call-ID and CSeq number. */
  readonly #unacknowledged = new Map<string, NodeJS.Timeout>();
  /** Messages that could not be parsed, and requests that came again; for tests of the other side. */
  readonly counters = { unparsable: 0, retransmitted: 0, repeatedRequests: 0 };

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#t1 = options.t1Ms ?? T1_MS;
  }

  async open(): Promise<void> {
    const { transport, host, port, tls } = this.#options;
    const receive = (bytes: Buffer, from: Peer): void => this.#receive(bytes, from);
    this.#transport = await openTransport(transport, host, port, receive, tls);
  }

  get transport(): SipTransport {
    if (!this.#transport) throw new Error('the phone is not started');
    return this.#transport;
  }

  get host(): string {
    return this.#options.host;
  }

  /** `host:port` as Via and Contact have it. */
  get sentBy(): string {
    const { host } = this.#options;
    return `${host.includes(':') ? `[${host}]` : host}:${this.transport.port}`;
  }

  /** Over TLS with a certificate it offers the connection for requests to us (RFC 5923). */
  newVia(): string {
    const alias = this.#options.tls?.cert === undefined ? '' : ';alias';
    const { name } = this.transport;
    return `SIP/2.0/${name.toUpperCase()} ${this.sentBy};rport;branch=z9hG4bK${newToken()}${alias}`;
  }

  /**
   * Sends a request, whose top Via is ours already, in a client transaction of its own.
   * @returns the final answer; its ACK has been sent when it refuses an INVITE
   * @throws Error after 64 T1 without a final answer (INVITE: without any)
   */
  send(
    request: SipRequest,
    peer: Peer,
    onProvisional: (response: SipResponse) => void = () => {},
  ): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const transaction: ClientTransaction = {
        request,
        peer,
        onProvisional,
        resolve,
        reject,
        timers: new Set(),
        state: 'trying',
      };
      this.#clients.set(keyOf(request.headers), transaction);
      peer.send(writeMessage(request));
      this.#after(transaction, 64 * this.#t1, () => {
        if (transaction.state === 'proceeding' && request.method === 'INVITE') return;
        this.#finish(transaction);
        reject(new Error(`${request.method}: no final answer within ${64 * this.#t1} ms`));
      });
      if (this.transport.name === 'udp') this.#retransmit(transaction, this.#t1);
    });
  }

  /** Sends what gets no answer: an ACK. */
  sendOnce(request: SipRequest, peer: Peer): void {
    peer.send(writeMessage(request));
  }

  /** Answers a request, and remembers the answer for its retransmissions; a final one to INVITE is repeated until ACK. */
  respond(request: SipRequest, peer: Peer, response: SipResponse, onNoAck: () => void = () => {}): void {
    const bytes = writeMessage(response);
    this.#remember(keyOf(request.headers), bytes);
    peer.send(bytes);
    if (request.method === 'INVITE' && response.status >= 200) {
      this.#repeatUntilAck(request, response, peer, bytes, onNoAck);
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#unacknowledged.values()) clearTimeout(timer);
    this.#unacknowledged.clear();
    for (const transaction of [...this.#clients.values()]) {
      this.#finish(transaction);
      transaction.reject(new Error(`${transaction.request.method}: the phone was stopped`));
    }
    this.#clients.clear();
    await this.#transport?.close();
  }

  #receive(bytes: Buffer, from: Peer): void {
    if (bytes.toString('latin1').trim() === '') return;
    try {
      const message = parseMessage(bytes);
      if (isRequest(message)) this.#receiveRequest(message, from);
      else this.#receiveResponse(message);
    } catch {
      this.counters.unparsable++;
    }
  }

  #receiveRequest(request: SipRequest, from: Peer): void {
    if (request.method === 'ACK') this.#stopRepeating(ackKey(request.headers));
    const key = keyOf(request.headers);
    if (request.method !== 'ACK' && this.#answers.has(key)) {
      this.counters.repeatedRequests++;
      const answer = this.#answers.get(key);
      if (answer) from.send(answer);
      return;
    }
    if (request.method !== 'ACK') this.#remember(key, undefined);
    this.#options.onRequest(request, from);
  }

  #receiveResponse(response: SipResponse): void {
    const transaction = this.#clients.get(keyOf(response.headers));
    if (!transaction) return;
    if (response.status < 200) {
      if (transaction.state === 'trying') transaction.state = 'proceeding';
      if (transaction.state === 'proceeding') transaction.onProvisional(response);
      return;
    }
    const invite = transaction.request.method === 'INVITE';
    if (invite && response.status >= 300)
      transaction.peer.send(writeMessage(ackOfRefusal(transaction.request, response)));
    if (transaction.state === 'done') {
      if (invite && response.status < 300) this.#options.onRepeatedAnswer(response);
      return;
    }
    this.#finish(transaction);
    transaction.resolve(response);
  }

  #retransmit(transaction: ClientTransaction, interval: number): void {
    const invite = transaction.request.method === 'INVITE';
    this.#after(transaction, interval, () => {
      if (invite && transaction.state !== 'trying') return;
      this.counters.retransmitted++;
      transaction.peer.send(writeMessage(transaction.request));
      const next = transaction.state === 'proceeding' ? T2_MS : interval * 2;
      this.#retransmit(transaction, invite ? next : Math.min(next, T2_MS));
    });
  }

  /** The transaction stays in the table for 64 T1, so that answers that come again find it. */
  #finish(transaction: ClientTransaction): void {
    transaction.state = 'done';
    for (const timer of transaction.timers) clearTimeout(timer);
    const key = keyOf(transaction.request.headers);
    setTimeout(() => this.#clients.delete(key), 64 * this.#t1).unref();
  }

  #after(transaction: ClientTransaction, ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      transaction.timers.delete(timer);
      if (transaction.state !== 'done') action();
    }, ms);
    transaction.timers.add(timer);
  }

  #remember(key: string, answer: Buffer | undefined): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    if (this.#answers.size > MAX_REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!);
  }

  #repeatUntilAck(
    request: SipRequest,
    response: SipResponse,
    peer: Peer,
    bytes: Buffer,
    onNoAck: () => void,
  ): void {
    if (response.status >= 300 && this.transport.name !== 'udp') return;
    const key = ackKey(request.headers);
    const giveUpAt = performance.now() + 64 * this.#t1;
    const repeat = (interval: number): void => {
      this.#unacknowledged.set(
        key,
        setTimeout(() => {
          if (performance.now() >= giveUpAt) {
            this.#unacknowledged.delete(key);
            onNoAck();
            return;
          }
          peer.send(bytes);
          repeat(Math.min(interval * 2, T2_MS));
        }, interval),
      );
    };
    this.#stopRepeating(key);
    repeat(this.#t1);
  }

  #stopRepeating(key: string): void {
    clearTimeout(this.#unacknowledged.get(key));
    this.#unacknowledged.delete(key);
  }
}

/** A transaction is its branch and its CSeq method, whichever side we are on (RFC 3261 §17.1.3). */
function keyOf(headers: SipHeaders): string {
  return `${parameter(headers.get('via'), 'branch')} ${headers.get('cseq')?.split(' ')[1]}`;
}

const ackKey = (headers: SipHeaders): string =>
  `${headers.get('call-id')} ${headers.get('cseq')?.split(' ')[0]}`;

/** RFC 3261 §17.1.1.3: same branch, same Via, the To of the answer. */
function ackOfRefusal(invite: SipRequest, response: SipResponse): SipRequest {
  const headers = new SipHeaders([
    ['Via', invite.headers.get('via')!],
    ['Max-Forwards', '70'],
    ['From', invite.headers.get('from')!],
    ['To', response.headers.get('to')!],
    ['Call-ID', invite.headers.get('call-id')!],
    ['CSeq', invite.headers.get('cseq')!.replace('INVITE', 'ACK')],
  ]);
  for (const route of invite.headers.all('route')) headers.add('Route', route);
  return { method: 'ACK', uri: invite.uri, headers, body: '' };
}
