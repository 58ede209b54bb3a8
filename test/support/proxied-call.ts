import type { EngineLimits } from '../../src/sip-engine/context.ts';
import type { SipRequest } from '../../src/sip-engine/message.ts';
import {
  EngineHarness,
  framed,
  type RecorderApp,
  type RecorderFlow,
  type RequestParts,
  request,
  response,
  SDP,
} from './engine-harness.ts';
import { tagged } from './outgoing-call.ts';

/** Options of an order, as drachtio-srf has them in the frame. */
export interface Order {
  remainInDialog?: boolean;
  fullResponse?: boolean;
  followRedirects?: boolean;
  simultaneous?: boolean;
  provisionalTimeout?: string;
  finalTimeout?: string;
  /** Header lines, each with its CRLF. */
  headers?: string;
}

/** What a target adds to its answer. */
interface Said {
  tag?: string;
  contact?: string;
  /** Header lines, each with its CRLF. */
  extra?: string;
  body?: string;
}

const ORDER_ID = 'the-order';

/** A call that comes to the engine's core and that its application orders to be proxied. */
export class ProxiedCall {
  readonly harness: EngineHarness;
  readonly app: RecorderApp;
  readonly caller: RecorderFlow;
  readonly parts: RequestParts;

  constructor(
    parts: RequestParts = {},
    { limits = {}, caller }: { limits?: Partial<EngineLimits>; caller?: RecorderFlow } = {},
  ) {
    this.harness = new EngineHarness(limits);
    this.app = this.harness.app('invite', 'options', 'register', 'subscribe');
    this.caller = caller ?? this.harness.peer();
    this.parts = { body: parts.method === undefined || parts.method === 'INVITE' ? SDP : '', ...parts };
    this.harness.receive(request(this.parts), this.caller);
  }

  /** The application says `proxy`. */
  order(destinations: readonly string[] = ['sip:198.51.100.20'], order: Order = {}): this {
    const { remainInDialog, followRedirects, simultaneous, headers = '' } = order;
    const tokens = [
      this.app.transactionId,
      remainInDialog ? 'remainInDialog' : '',
      order.fullResponse === false ? '' : 'fullResponse',
      followRedirects ? 'followRedirects' : '',
      simultaneous ? 'simultaneous' : 'serial',
      order.provisionalTimeout ?? '',
      order.finalTimeout ?? '',
      ...destinations,
    ];
    const message = `INVITE ${destinations[0]} SIP/2.0\r\n${headers}Content-Length: 0\r\n\r\n`;
    this.app.session.receive(framed(`${ORDER_ID}|proxy|${tokens.join('|')}\r\n${message}`));
    return this;
  }

  /** What the application was told of its order: statuses, `done`, or `NOK` and why. */
  get reports(): string[] {
    const answers = this.app.frames.filter(({ tokens }) => tokens[2] === ORDER_ID);
    return answers.map(({ tokens, sip }) => {
      if (tokens[3] === 'NOK') return tokens.slice(3).join(' ');
      return sip === undefined ? tokens.slice(4).join(' ') : sip.slice(8, 11);
    });
  }

  /** The way to a target, in the order in which they were tried. */
  target(at = 0): RecorderFlow {
    const flow = this.harness.opened[at];
    if (flow === undefined) throw new Error(`there is no target ${at}`);
    return flow;
  }

  /** The request as a target got it. */
  sent(at = 0): SipRequest {
    const [message] = this.target(at).sent;
    if (message?.kind !== 'request') throw new Error('no request was sent');
    return message;
  }

  /** A target answers. */
  reply(status: string, { at = 0, ...said }: Said & { at?: number } = {}): void {
    const { tag = `tag${at}`, contact = `<sip:callee@198.51.100.2${at}:5080>`, extra = '', body = '' } = said;
    const text = response(this.sent(at), status, `Contact: ${contact}\r\n${extra}`, body);
    this.harness.receive(tagged(text, tag), this.target(at));
  }

  /** The caller cancels. */
  cancel(extra = ''): void {
    this.harness.receive(request({ ...this.parts, method: 'CANCEL', body: '', extra }), this.caller);
  }

  /** What the caller has got, without the 100. */
  get answers(): string[] {
    return this.caller.lines.filter((line) => line !== '100');
  }
}
