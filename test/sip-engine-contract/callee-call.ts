import { randomUUID } from 'node:crypto';
import { answerTo, headerIn, headersIn, type SipCaller } from '../support/sip-caller.ts';

/** The called side of one call that the engine sends on: it answers its INVITE, and sends requests of its own. */
export class CalleeCall {
  readonly invite: string;
  readonly #callee: SipCaller;
  readonly #contact: string;
  readonly #tag = randomUUID().slice(0, 8);
  #cseq = 100;

  private constructor(callee: SipCaller, invite: string) {
    this.#callee = callee;
    this.#contact = callee.transport === 'TCP' ? `${callee.address};transport=tcp` : callee.address;
    this.invite = invite;
  }

  /** Waits for the INVITE. */
  static async receive(callee: SipCaller): Promise<CalleeCall> {
    return new CalleeCall(callee, await callee.next('INVITE'));
  }

  /** Answers the INVITE, or another request. */
  answer(status: string, body = '', request = this.invite): void {
    this.#callee.send(answerTo(request, status, this.#contact, body, { tag: this.#tag }));
  }

  /** Sends a request in the dialog; an ACK takes the CSeq of the request before. */
  send(method: string, body = ''): void {
    if (method !== 'ACK') this.#cseq += 1;
    const ours = `${headerIn(this.invite, 'To')};tag=${this.#tag}`;
    const routes = headersIn(this.invite, 'Record-Route').flatMap((value) => value.split(/, */));
    const lines = [
      `${method} ${/<([^>]*)>/.exec(headerIn(this.invite, 'Contact'))?.[1]} SIP/2.0`,
      `Via: SIP/2.0/${this.#callee.transport} ${this.#callee.address};rport;branch=z9hG4bK${randomUUID()}`,
      ...routes.map((route) => `Route: ${route}`),
      'Max-Forwards: 70',
      `From: ${ours}`,
      `To: ${headerIn(this.invite, 'From')}`,
      `Call-ID: ${headerIn(this.invite, 'Call-ID')}`,
      `CSeq: ${this.#cseq} ${method}`,
      `Contact: <sip:callee@${this.#contact}>`,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
    ];
    this.#callee.send(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  /** After a CANCEL: 200 for it and 487 for the INVITE, whose ACK is waited for. */
  async canceled(): Promise<void> {
    const cancel = await this.#callee.next('CANCEL');
    this.answer('200 OK', '', cancel);
    this.answer('487 Request Terminated');
    await this.#callee.next('ACK');
  }
}
