import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { OFFER } from '../support/engine-app.ts';
import { headerIn, headersIn, type SipCaller } from '../support/sip-caller.ts';

/** The caller's side of one call: what a peer sends to the engine, and what it checks of the answers. */
export class CallerCall {
  readonly callId = `${randomUUID()}@contract`;
  readonly #caller: SipCaller;
  #target: string;
  #routes: readonly string[] = [];
  readonly #from: string;
  #to: string;
  #cseq = 0;
  #inviteCSeq = 0;
  inviteBranch = '';
  lastSent = '';

  constructor(caller: SipCaller, user: string, host: string, port: number) {
    this.#caller = caller;
    this.#target = `sip:${user}@${host}:${port}`;
    this.#from = `<sip:caller@${caller.address}>;tag=${randomUUID().slice(0, 8)}`;
    this.#to = `<sip:${user}@${host}:${port}>`;
  }

  /** Sends a request; ACK and CANCEL take the CSeq of the INVITE. */
  send(
    method: string,
    body = '',
    branch = `z9hG4bK${randomUUID()}`,
    to = this.#to,
    extra: readonly string[] = [],
  ): void {
    const ofInvite = method === 'ACK' || method === 'CANCEL';
    if (!ofInvite) this.#cseq += 1;
    if (method === 'INVITE') {
      this.inviteBranch = branch;
      this.#inviteCSeq = this.#cseq;
    }
    const { transport } = this.#caller;
    const contact = transport === 'UDP' ? '' : `;transport=${transport.toLowerCase()}`;
    const lines = [
      `${method} ${this.#target} SIP/2.0`,
      `Via: SIP/2.0/${this.#caller.transport} ${this.#caller.address};rport;branch=${branch}`,
      ...this.#routes.map((route) => `Route: ${route}`),
      'Max-Forwards: 70',
      `From: ${this.#from}`,
      `To: ${to}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${ofInvite ? this.#inviteCSeq : this.#cseq} ${method}`,
      `Contact: <sip:caller@${this.#caller.address}${contact}>`,
      ...extra,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
    ];
    this.lastSent = `${lines.join('\r\n')}\r\n\r\n${body}`;
    this.#caller.send(this.lastSent);
  }

  /** Sends a request with further header lines. */
  sendWith(method: string, extra: readonly string[], body = ''): void {
    this.send(method, body, undefined, undefined, extra);
  }

  /** Learns the called side from a response: its tag, its Contact, and the route to it. */
  learn(response: string): void {
    this.#to = headerIn(response, 'To');
    this.#target = /<([^>]*)>/.exec(headerIn(response, 'Contact'))?.[1] ?? this.#target;
    this.#routes = headersIn(response, 'Record-Route')
      .flatMap((value) => value.split(/, */))
      .reverse();
  }

  cancel(): void {
    this.send('CANCEL', '', this.inviteBranch, this.#to.replace(/;tag=.*/, ''));
  }

  ackFailure(response: string): void {
    this.send('ACK', '', this.inviteBranch, headerIn(response, 'To'));
  }

  /** INVITE, 200, ACK. @returns the 200 */
  async establish(offer = OFFER, answer = ''): Promise<string> {
    this.send('INVITE', offer);
    const ok = await this.#caller.next('SIP/2.0 200');
    this.learn(ok);
    this.send('ACK', answer);
    return ok;
  }

  async end(): Promise<void> {
    this.send('BYE');
    await this.#caller.next('SIP/2.0 200');
  }

  /** After a CANCEL: 200 for it and 487 for the INVITE, which is acknowledged. */
  async cancelled(): Promise<void> {
    // Which of the two comes first is not laid down.
    const finals: string[] = [];
    while (finals.length < 2) {
      const message = await this.#caller.next('SIP/2.0 ');
      if (!message.startsWith('SIP/2.0 1')) finals.push(message);
    }
    finals.sort();
    expect(finals.map((message) => message.slice(8, 11))).toEqual(['200', '487']);
    this.ackFailure(finals[1]!);
  }
}
