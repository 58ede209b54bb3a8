import { header, type SipMessage } from '../../src/sip-engine/message.ts';
import { type EngineHarness, type RecorderApp, type RecorderFlow, response, SDP } from './engine-harness.ts';

/** A call that an application places through the engine's core, and its peers' answers. */
export class OutgoingCall {
  readonly harness: EngineHarness;
  readonly app: RecorderApp;
  /** Tokens of the answer to the request, from OK or NOK on. */
  readonly answer: string[];
  readonly #method: string;

  constructor(
    harness: EngineHarness,
    app: RecorderApp,
    { uri = 'sip:bob@198.51.100.7', method = 'INVITE', headers = '', proxy = '' } = {},
  ) {
    this.harness = harness;
    this.app = app;
    this.#method = method;
    const body = method === 'INVITE' ? SDP : '';
    this.answer = app.ask(
      `sip||${proxy === '' ? '' : `|${proxy}`}\r\n${method} ${uri} SIP/2.0\r\n${headers}Content-Length: 0\r\n\r\n${body}`,
    );
  }

  get transactionId(): string {
    return this.answer[7] ?? '';
  }

  /** The flow to the peer, the latest of several. */
  get flow(): RecorderFlow {
    const flow = this.harness.opened.at(-1);
    if (flow === undefined) throw new Error('nothing was sent');
    return flow;
  }

  /** The INVITE, or whatever the request was, as sent last. */
  get sent(): SipMessage {
    const requests = this.harness.opened.toReversed().flatMap((flow) => flow.sent.slice(0, 1));
    const first = requests.find((one) => one.kind === 'request' && one.method === this.#method);
    if (first === undefined) throw new Error('no request was sent');
    return first;
  }

  /** `<Call-ID>;from-tag=<tag>`. */
  get dialogId(): string {
    const tag = /tag=([^;]+)/.exec(header(this.sent, 'From') ?? '')?.[1];
    return `${header(this.sent, 'Call-ID')};from-tag=${tag}`;
  }

  /** The peer answers the request; `tag` is the To tag of the fork. */
  reply(status: string, tag = 'bob', extra = '', body = ''): void {
    const contact = `Contact: <sip:bob@198.51.100.7:5080>\r\n${extra}`;
    this.harness.receive(tagged(response(this.sent, status, contact, body), tag), this.flow);
  }

  /** 200, and the ACK of the application. */
  establish(tag = 'bob', extra = ''): void {
    this.reply('200 OK', tag, extra, SDP);
    this.app.request(this.dialogId, 'ACK');
  }
}

/** A response with a To tag. */
export const tagged = (text: string, tag: string): string =>
  tag === '' ? text : text.replace(/^(To: .*)$/m, `$1;tag=${tag}`);
