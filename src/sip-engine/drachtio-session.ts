import { createHash, timingSafeEqual } from 'node:crypto';
import { FrameError, FrameReader } from '../drachtio-frames.ts';
import type { AppEvent, AppLink, Outcome, RequestScope } from './app-link.ts';
import { parseAppMessage } from './app-message.ts';
import { forApplication } from './application-copy.ts';
import { type AppFrame, formatFrame, MAX_FRAME_BYTES, parseFrame, timeOfDay } from './drachtio-wire.ts';
import {
  type HeaderField,
  type SipMessage,
  SipParseError,
  type SipRequest,
  type SipResponse,
  serializeMessage,
} from './message.ts';
import type { ProxyReport } from './ordered-request.ts';
import { type ProxyOrder, parseProxyOrder } from './proxy-order.ts';
import type { Flow } from './transport.ts';

/** drachtio-srf pings and uses newer features only from a server that says at least v0.8.2. */
const SERVER_VERSION = 'v0.9.10';

/** Verbs that one application may register; drachtio-srf knows fewer than 20. */
const MAX_ROUTES = 64;

/** The engine as an application's connection uses it. */
export interface AppSide {
  readonly hostports: readonly string[];
  readonly localHostports: readonly string[];
  /** Wall clock, ms. */
  now(): number;
  route(app: AppLink, verb: string): void;
  unroute(app: AppLink, verb: string): void;
  respond(app: AppLink, transactionId: string, response: SipResponse): Outcome;
  /** At once, or when a name was resolved. */
  request(app: AppLink, scope: RequestScope, request: SipRequest): Outcome | Promise<Outcome>;
  /** The application wants a request to go on, with headers of its own; what becomes of it is told to `report`. */
  proxy(app: AppLink, order: ProxyOrder, headers: readonly HeaderField[], report: ProxyReport): void;
  /** An application has authenticated. */
  connected(): void;
  /** Its connection is gone: its calls end. */
  gone(app: AppLink): void;
}

/** The socket below a session. */
export interface SessionSocket {
  write(frame: Buffer): void;
  /** Closes it after what was written. */
  end(): void;
}

/** One connection of drachtio's TCP protocol: frames of the application in, its events and answers out. */
export class DrachtioSession implements AppLink {
  readonly #side: AppSide;
  readonly #socket: SessionSocket;
  readonly #secret: string;
  readonly #reader = new FrameReader(MAX_FRAME_BYTES);
  readonly #verbs = new Set<string>();
  #authenticated = false;
  #closed = false;

  constructor(side: AppSide, socket: SessionSocket, secret: string) {
    this.#side = side;
    this.#socket = socket;
    this.#secret = secret;
  }

  get authenticated(): boolean {
    return this.#authenticated;
  }

  /** Bytes of the application. */
  receive(bytes: Buffer): void {
    try {
      for (const payload of this.#reader.feed(bytes)) {
        if (this.#closed) return;
        this.#handle(parseFrame(payload));
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#hangUp();
    }
  }

  /** The socket is closed. */
  closed(): void {
    this.#closed = true;
    if (this.#authenticated) this.#side.gone(this);
    this.#authenticated = false;
  }

  deliver(event: AppEvent): void {
    if (this.#closed) return;
    const sip = serializeMessage(forApplication(event.message));
    const { address, port } = event.receivedOn ?? {};
    this.#write(
      [
        'sip',
        event.source,
        event.address === '' ? 0 : sip.length,
        event.protocol,
        event.address,
        event.port,
        timeOfDay(this.#side.now()),
        event.transactionId,
        event.dialogId,
        ...(address === undefined || port === undefined ? [] : [address, port]),
        '',
      ],
      sip,
    );
  }

  #handle(frame: AppFrame): void {
    if (frame.type === 'authenticate') this.#authenticate(frame);
    else if (!this.#authenticated) this.#refuseAndClose(frame, 'authenticate first');
    else if (frame.type === 'sip') this.#sip(frame);
    else if (frame.type === 'route') this.#route(frame);
    else if (frame.type === 'remove_route') this.#removeRoute(frame);
    else if (frame.type === 'ping') this.#reply(frame, 'OK', 'pong');
    else if (frame.type === 'proxy') this.#proxy(frame);
    else this.#refuseAndClose(frame, `unknown message type ${frame.type.slice(0, 32)}`);
  }

  #authenticate(frame: AppFrame): void {
    if (!sameSecret(frame.tokens[0] ?? '', this.#secret)) {
      this.#refuseAndClose(frame, 'incorrect secret');
      return;
    }
    if (!this.#authenticated) this.#side.connected();
    this.#authenticated = true;
    const { hostports, localHostports } = this.#side;
    this.#reply(frame, 'OK', hostports.join(','), SERVER_VERSION, localHostports.join(','));
  }

  #route(frame: AppFrame): void {
    const verb = (frame.tokens[0] ?? '').toLowerCase();
    if (!/^[a-z]{1,32}(:[a-z]{1,32})?$/.test(verb) || this.#verbs.size >= MAX_ROUTES) {
      this.#reply(frame, 'NOK', 'not a method');
      return;
    }
    this.#verbs.add(verb);
    this.#side.route(this, verb);
    this.#reply(frame, 'OK');
  }

  #removeRoute(frame: AppFrame): void {
    const verb = (frame.tokens[0] ?? '').toLowerCase();
    this.#verbs.delete(verb);
    this.#side.unroute(this, verb);
    this.#reply(frame, 'OK');
  }

  #sip(frame: AppFrame): void {
    const [transactionId = '', dialogId = '', proxy = ''] = frame.tokens;
    const message = this.#messageOf(frame);
    if (message === undefined) return;
    if (message.kind === 'request') this.#sipRequest(frame, message, { transactionId, dialogId, proxy });
    else if (transactionId === '') this.#refuseAndClose(frame, 'transaction id missing');
    else this.#report(frame, this.#side.respond(this, transactionId, message));
  }

  /** The SIP message of a frame; one that cannot be read is refused. */
  #messageOf(frame: AppFrame): SipMessage | undefined {
    try {
      return parseAppMessage(frame.sip ?? Buffer.alloc(0));
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.#reply(frame, 'NOK', plain(`invalid message: ${error.message}`));
      return undefined;
    }
  }

  #proxy(frame: AppFrame): void {
    const order = parseProxyOrder(frame.tokens);
    if (typeof order === 'string') {
      this.#reply(frame, 'NOK', plain(`Invalid proxy request: ${order}`));
      return;
    }
    const said = this.#messageOf(frame);
    if (said === undefined) return;
    this.#side.proxy(this, order, said.headers, {
      response: (message, flow) => this.#proxied(frame, message, flow),
      done: () => this.#reply(frame, 'OK', 'done'),
      refused: (why) => this.#reply(frame, 'NOK', plain(why)),
    });
  }

  /** A final response to a proxied request; more will follow (protocol page §7). */
  #proxied(frame: AppFrame, message: SipResponse, { transport, remote }: Flow): void {
    const sip = serializeMessage(forApplication(message));
    const { address, port } = remote;
    const tokens = ['OK', 'network', sip.length, transport, address, port, timeOfDay(this.#side.now())];
    this.#write(['response', frame.id, ...tokens, '', '', 'continue'], sip);
  }

  #sipRequest(frame: AppFrame, request: SipRequest, scope: RequestScope): void {
    const outcome = this.#side.request(this, scope, request);
    if (!(outcome instanceof Promise)) this.#report(frame, outcome);
    else void outcome.then((later) => this.#closed || this.#report(frame, later));
  }

  /** First the echo, then the wire: drachtio-srf must know a message before its answer comes. */
  #report(frame: AppFrame, outcome: Outcome): void {
    if ('refused' in outcome) {
      this.#reply(frame, 'NOK', outcome.refused);
      return;
    }
    const sip = serializeMessage(forApplication(outcome.sent));
    const tokens = [
      'OK',
      'application',
      sip.length,
      outcome.protocol,
      outcome.address,
      outcome.port,
      timeOfDay(this.#side.now()),
      outcome.transactionId,
      ...(outcome.dialogId === undefined ? [] : [outcome.dialogId, '']),
      'Msg sent:',
      '',
    ];
    this.#write(['response', frame.id, ...tokens], sip);
    outcome.transmit();
  }

  #reply(frame: AppFrame, ...tokens: string[]): void {
    this.#write(['response', frame.id, ...tokens]);
  }

  #write(tokens: readonly (string | number)[], sip?: Buffer): void {
    if (!this.#closed) this.#socket.write(formatFrame(tokens, sip));
  }

  /** What the connection layer refuses is said with `NO` and ends the connection. */
  #refuseAndClose(frame: AppFrame, why: string): void {
    this.#reply(frame, 'NO', plain(why));
    this.#hangUp();
  }

  #hangUp(): void {
    this.#socket.end();
    this.closed();
  }
}

/** Text that may stand in a token. */
const plain = (text: string): string => text.replace(/[^\x20-\x7b\x7d\x7e]/g, '?').slice(0, 200);

function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'latin1').digest();
  return timingSafeEqual(digest(given), digest(secret));
}
