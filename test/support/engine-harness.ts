import { randomUUID } from 'node:crypto';
import { FrameReader } from '../../src/drachtio-frames.ts';
import { defaultLimits, type EngineLimits } from '../../src/sip-engine/context.ts';
import { createEngineCore, type EngineCore } from '../../src/sip-engine/core.ts';
import { DrachtioSession } from '../../src/sip-engine/drachtio-session.ts';
import {
  header,
  headersOf,
  parseMessage,
  type SipMessage,
  SipParseError,
} from '../../src/sip-engine/message.ts';
import type { PeerCertificate } from '../../src/sip-engine/peer-certificate.ts';
import { DnsResolver, type Listening } from '../../src/sip-engine/resolve.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import type { Endpoint, Flow, Hop, TransportName } from '../../src/sip-engine/transport.ts';
import { FakeEngineClock } from './engine-clock.ts';
import { FakeDns } from './fake-dns.ts';

const listening: Listening = new Map([
  ['udp', new Set([4])],
  ['tcp', new Set([4])],
  ['tls', new Set([4])],
]);

/** The engine's core between a recorded network and a recorded application: no sockets, no real time. */
export class EngineHarness {
  readonly clock = new FakeEngineClock();
  readonly core: EngineCore;
  /** What names mean; empty at first. */
  readonly dns = new FakeDns();
  /** Whatever the engine opens by itself fails. */
  unreachable = false;
  /** Flows that the engine opened by itself, and where to. */
  readonly opened: RecorderFlow[] = [];
  readonly hops: Hop[] = [];

  constructor(limits: Partial<EngineLimits> = {}) {
    const stats = newStats();
    const resolver = new DnsResolver({
      ...{ dns: this.dns, listening, clock: this.clock, stats },
      random: () => 0,
    });
    this.core = createEngineCore({
      ...{ clock: this.clock, resolver, stats },
      limits: { ...defaultLimits, ...limits },
    });
    this.core.attach({
      hostports: ['udp/192.0.2.1:5060'],
      localHostports: ['udp/10.0.0.1:5060'],
      flowTo: (hop) => {
        const flow = new RecorderFlow({ address: hop.address, port: hop.port }, hop.transport);
        flow.broken = this.unreachable;
        this.opened.push(flow);
        this.hops.push(hop);
        return flow;
      },
    });
  }

  /** A peer; what the engine sends to it is in `sent`. */
  peer(address = '198.51.100.7', port = 5060, transport: TransportName = 'udp'): RecorderFlow {
    return new RecorderFlow({ address, port }, transport);
  }

  receive(text: string | Buffer, flow: Flow): void {
    let message: SipMessage;
    try {
      message = parseMessage(typeof text === 'string' ? Buffer.from(text) : text);
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.core.unreadable(error, flow);
      return;
    }
    this.core.message(message, flow);
  }

  /** An application that has authenticated and takes these methods. */
  app(...verbs: string[]): RecorderApp {
    const app = new RecorderApp(this.core);
    app.ask(`authenticate|${SECRET}|`);
    for (const verb of verbs) app.ask(`route|${verb}`);
    return app;
  }
}

export const SECRET = 'cymru';

export class RecorderFlow implements Flow {
  readonly local = { address: '192.0.2.1', port: 5060 };
  readonly reliable: boolean;
  open = true;
  /** The next `send` fails. */
  broken = false;
  certificate: PeerCertificate | undefined;
  /** Ports that the peer wants our requests by this connection for. */
  readonly aliases: number[] = [];
  readonly raw: string[] = [];
  readonly remote: Endpoint;
  readonly transport: TransportName;

  constructor(remote: Endpoint, transport: TransportName) {
    this.remote = remote;
    this.transport = transport;
    this.reliable = transport !== 'udp';
  }

  acceptAlias(port: number): void {
    this.aliases.push(port);
  }

  send(bytes: Buffer, failed?: (error: Error) => void): void {
    if (this.broken) failed?.(new Error('broken'));
    else this.raw.push(bytes.toString());
  }

  get sent(): SipMessage[] {
    return this.raw.map((text) => parseMessage(Buffer.from(text)));
  }

  /** Status codes and methods, in order. */
  get lines(): string[] {
    return this.sent.map((message) => (message.kind === 'request' ? message.method : `${message.status}`));
  }

  get last(): SipMessage {
    const message = this.sent.at(-1);
    if (message === undefined) throw new Error('nothing was sent');
    return message;
  }

  lastHeader(name: string): string | undefined {
    return header(this.last, name);
  }
}

export interface AppFrameSeen {
  tokens: string[];
  /** The SIP message, if there was one. */
  sip: string | undefined;
}

/** An application at the other end of drachtio's protocol. */
export class RecorderApp {
  readonly frames: AppFrameSeen[] = [];
  readonly session: DrachtioSession;
  ended = false;
  readonly #reader = new FrameReader(65_536);

  constructor(core: EngineCore, secret = SECRET) {
    const socket = {
      write: (bytes: Buffer) => {
        for (const payload of this.#reader.feed(bytes)) this.frames.push(frameOf(payload));
      },
      end: () => {
        this.ended = true;
      },
    };
    this.session = new DrachtioSession(core, socket, secret);
  }

  /** Sends a frame and gives the tokens of its answer from `OK`, `NO` or `NOK` on. */
  ask(payload: string): string[] {
    const id = randomUUID();
    this.session.receive(framed(`${id}|${payload}`));
    const answer = this.frames.find(({ tokens }) => tokens[1] === 'response' && tokens[2] === id);
    return answer?.tokens.slice(3) ?? [];
  }

  /** Answers a request, as drachtio-srf writes it. */
  respond(transactionId: string, statusLine: string, headers = '', body = ''): string[] {
    return this.ask(
      `sip|${transactionId}|\r\nSIP/2.0 ${statusLine}\r\n${headers}Content-Length: 0\r\n\r\n${body}`,
    );
  }

  request(dialogId: string, method: string, headers = '', body = ''): string[] {
    return this.ask(
      `sip||${dialogId}\r\n${method} sip:placeholder SIP/2.0\r\n${headers}\r\n${body}`.replace(
        /\r\n\r\n$/,
        '\r\n\r\n',
      ),
    );
  }

  /** Events: frames that are not answers. */
  get events(): AppFrameSeen[] {
    return this.frames.filter(({ tokens }) => tokens[1] === 'sip');
  }

  /** First word of each event's SIP text. */
  get methods(): string[] {
    return this.events.map(({ sip = '' }) =>
      sip.startsWith('SIP/') ? sip.slice(8, 11) : sip.split(' ')[0]!,
    );
  }

  get lastEvent(): AppFrameSeen {
    const event = this.events.at(-1);
    if (event === undefined) throw new Error('no event');
    return event;
  }

  get lastAnswer(): AppFrameSeen {
    const answer = this.frames.filter(({ tokens }) => tokens[1] === 'response').at(-1);
    if (answer === undefined) throw new Error('no answer');
    return answer;
  }

  /** Transaction id of the last event. */
  get transactionId(): string {
    return this.lastEvent.tokens[8]!;
  }
}

export function framed(payload: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(payload)}#${payload}`);
}

function frameOf(payload: Buffer): AppFrameSeen {
  const text = payload.toString();
  const end = text.indexOf('\r\n');
  const line = end === -1 ? text : text.slice(0, end);
  return { tokens: line.split('|'), sip: end === -1 ? undefined : text.slice(end + 2) };
}

export interface RequestParts {
  method?: string;
  branch?: string;
  callId?: string;
  fromTag?: string;
  toTag?: string;
  cseq?: number;
  /** Of the CSeq header, for ACK and CANCEL the same as the method. */
  sentBy?: string;
  viaParams?: string;
  transport?: string;
  contact?: string;
  uri?: string;
  /** Whole lines, each with its CRLF. */
  extra?: string;
  body?: string;
}

/** A request of the peer; two calls with the same parts give the same bytes. */
export function request(parts: RequestParts = {}): string {
  const {
    method = 'INVITE',
    branch = 'z9hG4bKa',
    callId = 'call@peer',
    fromTag = 'theirs',
    toTag,
    cseq = 1,
    sentBy = '198.51.100.7:5060',
    viaParams = '',
    transport = 'UDP',
    contact = '<sip:peer@198.51.100.7:5060>',
    uri = 'sip:us@192.0.2.1',
    extra = '',
    body = '',
  } = parts;
  const to = `<sip:us@192.0.2.1>${toTag === undefined ? '' : `;tag=${toTag}`}`;
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  return (
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/${transport} ${sentBy};branch=${branch}${viaParams}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:peer@198.51.100.7>;tag=${fromTag}\r\nTo: ${to}\r\nCall-ID: ${callId}\r\n` +
    `CSeq: ${cseq} ${method}\r\nContact: ${contact}\r\n${extra}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/** A response of the peer to a request that we sent. */
export function response(to: SipMessage, status: string, extra = '', body = ''): string {
  const vias = headersOf(to, 'Via').map((via) => `Via: ${via}\r\n`);
  const copied = ['From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${header(to, name) ?? ''}\r\n`);
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  return `SIP/2.0 ${status}\r\n${vias.join('')}${copied.join('')}${extra}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';
export const DIALOG_ID = 'call@peer;from-tag=theirs';

/** A call that is up: INVITE, 200 and ACK are done. */
export function establish(harness: EngineHarness, flow: RecorderFlow, parts: RequestParts = {}) {
  const app = harness.app('invite', 'bye');
  harness.receive(request({ ...parts, body: SDP }), flow);
  const inviteId = app.transactionId;
  app.respond(inviteId, '200 OK', '', SDP);
  const toTag = /tag=([^;]+)$/.exec(flow.lastHeader('To') ?? '')![1]!;
  harness.receive(request({ ...parts, method: 'ACK', branch: 'z9hG4bKack', toTag }), flow);
  return { app, toTag, inviteId };
}
