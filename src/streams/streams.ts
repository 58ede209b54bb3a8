import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Bridges } from '../bridge/bridges.ts';
import { Ended } from '../bridge/ended.ts';
import type { Leg } from '../bridge/leg.ts';
import type { CallFacts } from '../bridge/leg-carrier.ts';
import type { Clock } from '../clock.ts';
import { ApiError, Refusal } from '../errors.ts';
import { parseSessionId, type SessionId } from '../ids.ts';
import { type Role, rolesOf } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { addressOf } from '../source-network.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { CarrierClient, roleOf } from './carrier-client.ts';
import type { SpokenWords } from './client-messages.ts';
import { KallglotClient } from './kallglot-client.ts';
import { Strangers } from './strangers.ts';
import { type AdmittedStream, admitStream, type StreamAdmissionOptions } from './stream-admission.ts';
import { asApiError } from './stream-close.ts';
import { CHECK_MS, StreamConnection } from './stream-connection.ts';
import { StreamCounts } from './stream-counts.ts';
import type { StreamClient, StreamParts } from './stream-parts.ts';
import { readConnectRequest, refuseUpgrade } from './upgrade.ts';

/** Larger messages close the connection (1009). Those of carriers are short, and they begin as strangers. */
const MESSAGE_MOST_BYTES = 1024 * 1024;
const CARRIER_MESSAGE_MOST_BYTES = 64 * 1024;
/** What parties hear comes in pieces of 20 ms, and is looked for as often as keeps it from waiting for long. */
const TICK_MS = 10;
/** How long clients have to hear that the gateway stops. */
const GOODBYE_MS = 1000;
/** Clients of one session: its two parties, some who only read along, and those that are just being replaced. */
const CLIENTS_PER_SESSION = 10;

const acceptor = (maxPayload: number) =>
  new WebSocketServer({
    ...{ noServer: true, perMessageDeflate: false, maxPayload, skipUTF8Validation: true },
    // `StreamConnection` does.
    autoPong: false,
  });

export interface StreamsOptions extends Omit<StreamAdmissionOptions, 'now' | 'sessions'> {
  bridges: Pick<Bridges, 'reserve'>;
  sessions: Pick<Sessions, 'find' | 'apply'>;
  metrics: Metrics;
  log: Log;
  clock: Clock;
}

/** All clients that come by WebSocket: `GET /v1/sessions/{id}/connect` (contract §7, §12). */
export class Streams {
  readonly #parts: StreamParts;
  readonly #clients = new Map<StreamClient, StreamConnection>();
  readonly #bySession = new Map<SessionId, Set<StreamClient>>();
  readonly #strangers = new Strangers();
  readonly #acceptors = {
    kallglot: acceptor(MESSAGE_MOST_BYTES),
    carrier: acceptor(CARRIER_MESSAGE_MOST_BYTES),
  };
  readonly #metrics: Metrics;
  readonly #ticker: NodeJS.Timeout;
  readonly #checker: NodeJS.Timeout;
  #closed = false;

  constructor({ bridges, sessions, metrics, log, clock, ...admission }: StreamsOptions) {
    this.#metrics = metrics;
    this.#parts = {
      admit: (id, token) => admitStream({ ...admission, sessions, now: () => clock.now() }, id, token),
      reserve: ({ session, concurrencyLimit }, role, facts) =>
        bridges.reserve({ session, role, facts, concurrencyLimit }),
      endSession: async (id) =>
        void (await sessions.apply(id, { type: 'ended', at: clock.now(), reason: 'explicit_end' })),
      refused: (error) => {
        if (error instanceof Ended) return;
        const { code } = asApiError(error);
        metrics.stream_refusals_total.inc({ code });
        if (code === 'internal_error') log.error({ err: error }, 'a stream could not be taken');
      },
      counts: new StreamCounts(),
      ...{ log, clock },
    };
    this.#ticker = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#checker = setInterval(() => {
      for (const connection of this.#clients.values()) connection.check();
    }, CHECK_MS).unref();
    metrics.beforeScrape(() => this.#collect());
  }

  /** Takes an upgrade request that `isConnectRequest` knows as one of ours. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const startedAt = this.#parts.clock.now();
    socket.on('error', () => socket.destroy());
    this.#take(request, socket, head, startedAt).catch((error: unknown) => {
      this.#parts.refused(error);
      const why = asApiError(error);
      const session = readConnectRequest(request.url ?? '')?.sessionId;
      const source = addressOf(request.socket);
      this.#parts.log.info({ session, source, code: why.code }, 'a stream was refused');
      refuseUpgrade(socket, why);
    });
  }

  /** Somebody in a session was understood. */
  heard(id: SessionId, words: SpokenWords): void {
    for (const client of this.#bySession.get(id) ?? []) client.words(words);
  }

  sessionEnded({ id, endReason }: Session): void {
    this.#end(this.#bySession.get(id) ?? [], endReason ?? 'completed');
  }

  /** The gateway stops: everybody is told, and gets a second to hear of it. Resolves when no client is left. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticker);
    clearInterval(this.#checker);
    this.#end(this.#clients.keys(), 'drained');
    const deadline = performance.now() + GOODBYE_MS;
    while (this.#clients.size > 0 && performance.now() < deadline) await pause(TICK_MS);
    for (const connection of this.#clients.values()) connection.terminate();
  }

  async #take(request: IncomingMessage, socket: Duplex, head: Buffer, startedAt: number): Promise<void> {
    if (this.#closed) throw new Refusal('draining');
    const asked = readConnectRequest(request.url ?? '');
    const sessionId = parseSessionId(asked?.sessionId ?? '');
    if (asked === undefined || sessionId === undefined) throw new ApiError('session_not_found');
    const facts = factsOf(request, startedAt);
    if (asked.token === undefined) {
      const open = (webSocket: WebSocket) => this.#openCarrier(webSocket, sessionId, facts);
      accept(this.#acceptors.carrier, request, socket, head, open);
      return;
    }
    const role = roleOf(asked.role);
    const admitted = await this.#parts.admit(sessionId, asked.token);
    if (this.#closed) throw new Refusal('draining');
    this.#assertRoom(sessionId);
    const leg = this.#reserve(admitted, role, facts);
    const open = (webSocket: WebSocket) => this.#openKallglot(webSocket, admitted, facts, leg);
    if (!accept(this.#acceptors.kallglot, request, socket, head, open)) leg?.release();
  }

  /** The role that is asked for, or that is the only one: nobody has to speak to be it. */
  #reserve(admitted: AdmittedStream, asked: Role | undefined, facts: CallFacts): Leg | undefined {
    const roles = rolesOf(admitted.session.mode);
    const role = asked ?? (roles.length === 1 ? roles[0] : undefined);
    return role && this.#parts.reserve(admitted, role, facts);
  }

  #openKallglot(socket: WebSocket, admitted: AdmittedStream, facts: CallFacts, leg: Leg | undefined): void {
    const connection = new StreamConnection(socket);
    const client = new KallglotClient({ parts: this.#parts, connection, admitted, facts, leg });
    this.#enter(client, connection);
    this.#join(client);
    void client.begin();
  }

  #openCarrier(socket: WebSocket, sessionId: SessionId, facts: CallFacts): void {
    const connection = new StreamConnection(socket);
    const leave = this.#strangers.enter(() => client.crowdedOut());
    socket.once('close', leave);
    const client: CarrierClient = new CarrierClient({
      ...{ parts: this.#parts, connection, sessionId, facts },
      onAdmitted: () => {
        leave();
        this.#assertRoom(sessionId);
        this.#join(client);
      },
    });
    this.#enter(client, connection);
  }

  #enter(client: StreamClient, connection: StreamConnection): void {
    this.#clients.set(client, connection);
    connection.listen({
      onMessage: (frame, isBinary) => client.take(frame, isBinary),
      onClosed: (byClient) => {
        this.#leave(client);
        if (byClient === undefined) return;
        if (byClient.lost)
          this.#parts.log.warn({ session: client.sessionId, detail: byClient.detail }, 'a stream was lost');
        client.gone(byClient.lost);
      },
    });
  }

  /** @throws ApiError `too_many_clients` */
  #assertRoom(id: SessionId): void {
    const clients = this.#bySession.get(id)?.size ?? 0;
    if (clients >= CLIENTS_PER_SESSION) throw new ApiError('too_many_clients');
  }

  /** The client's token was good: it is one of its session. */
  #join(client: StreamClient): void {
    const { sessionId } = client;
    this.#bySession.set(sessionId, (this.#bySession.get(sessionId) ?? new Set()).add(client));
  }

  #leave(client: StreamClient): void {
    this.#clients.delete(client);
    const ofSession = this.#bySession.get(client.sessionId);
    ofSession?.delete(client);
    if (ofSession?.size === 0) this.#bySession.delete(client.sessionId);
  }

  #tick(): void {
    for (const client of this.#clients.keys()) client.tick();
  }

  #end(clients: Iterable<StreamClient>, reason: string): void {
    for (const client of [...clients]) client.sessionEnded(reason);
  }

  #collect(): void {
    const { streams_open } = this.#metrics;
    const open: Record<StreamClient['kind'], number> = { kallglot: 0, twilio: 0, telnyx: 0, carrier: 0 };
    for (const { kind } of this.#clients.keys()) open[kind]++;
    for (const client of Object.keys(open) as StreamClient['kind'][])
      streams_open.set({ client }, open[client]);
    this.#parts.counts.collect(this.#metrics);
  }
}

/** Who asks, as far as a request tells. */
function factsOf(request: IncomingMessage, startedAt: number): CallFacts {
  return {
    provider: 'webrtc',
    direction: 'inbound',
    ...{ callId: null, carrierCallId: null, from: '', to: '' },
    sourceAddress: addressOf(request.socket),
    transport: 'ws',
    startedAt,
    headers: {},
  };
}

/** @returns false when the client is gone already, or its request is no upgrade to a WebSocket; it is answered then */
function accept(
  acceptor: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  open: (webSocket: WebSocket) => void,
): boolean {
  let accepted = false;
  acceptor.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = true;
    open(webSocket);
  });
  return accepted;
}
