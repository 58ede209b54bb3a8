import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { Refusal } from '../errors.ts';
import { localAddresses } from '../local-addresses.ts';
import { firstLocalAddress, isBindable, isUnspecified } from './ip-address.ts';
import type { LegPort } from './leg-port.ts';
import type {
  MediaPool,
  MediaWorkerStats,
  PortUsage,
  RingPort,
  RingPortOptions,
  RtpPort,
  RtpPortOptions,
} from './media-port.ts';
import { PortPairs } from './port-pairs.ts';
import { askForReceiveBuffer } from './receive-buffer.ts';
import { RingLegPort } from './ring-leg-port.ts';
import { RtpLegPort } from './rtp-leg-port.ts';
import type { SocketsKind } from './udp-pair.ts';
import { type OpenResult, WorkerHost } from './worker-host.ts';
import type { RingLegSetup, RtpLegSetup } from './worker-protocol.ts';

export interface MediaLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface MediaPoolOptions {
  /** `media.address`: where RTP is received. `::` serves IPv4 too. */
  bindAddress: string;
  /** `media.advertised_address`: what SDP shows instead, behind a NAT. */
  advertisedAddress?: string | undefined;
  ports: { from: number; to: number };
  /** Share of them in use from which on only legs whose session is here already get a pair; 100 when absent. */
  newSessionsPercent?: number | undefined;
  /** Number of threads. */
  workers: number;
  /** `media.sockets`: what RTP goes by; absent for the cheapest that there is. */
  sockets?: SocketsKind | undefined;
  log?: MediaLog | undefined;
}

/** Pairs that one `open` tries when others hold the ports. */
const MAX_TRIES = 32;
/** A worker that lived shorter than this, ms, is not started again at once, lest it fails for ever at full speed. */
const RESTART_GUARD_MS = 1000;
const SMALL_BUFFER =
  'the system gives RTP sockets a smaller receive buffer than they ask for: set net.core.rmem_max to at least that';

/**
 * Starts the media workers.
 * @throws Error when the address cannot be bound on this machine, or a worker does not start
 */
export async function createMediaPool(options: MediaPoolOptions): Promise<MediaPool> {
  await checkAddress(options.bindAddress, options.log);
  const pool = new WorkerPool(options);
  try {
    await pool.ready();
  } catch (error) {
    await pool.close();
    throw new Error(`a media worker did not start: ${(error as Error).message}`, { cause: error });
  }
  return pool;
}

/** A wrong `media.address` should stop the start, not fail every call; a small receive buffer should be known. */
async function checkAddress(address: string, log: MediaLog | undefined): Promise<void> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    socket.bindSync({ address, port: 0 });
    const buffer = askForReceiveBuffer(socket);
    if (buffer.isLess) log?.warn(buffer, SMALL_BUFFER);
  } catch (error) {
    throw new Error(`media.address ${address} cannot be used: ${(error as Error).message}`, { cause: error });
  } finally {
    socket.close();
    await once(socket, 'close');
  }
}

/** Where the legs of one session live, and how many there are. */
interface Place {
  readonly affinity: string;
  readonly worker: WorkerHost;
  legs: number;
}

/** One try to open a leg. */
interface Attempt<Leg extends LegPort> {
  leg: Leg;
  result: OpenResult;
}

class WorkerPool implements MediaPool {
  readonly #options: MediaPoolOptions;
  readonly #pairs: PortPairs;
  readonly #workers: WorkerHost[] = [];
  readonly #places = new Map<string, Place>();
  readonly #placeOf = new Map<LegPort, Place>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #nextLeg = 1;
  #deaths = 0;
  #closed = false;

  constructor(options: MediaPoolOptions) {
    this.#options = options;
    this.#pairs = new PortPairs(options.ports, Math.random());
    for (let i = 1; i <= options.workers; i++) this.#start(`media-${i}`);
  }

  /** Resolves when every worker runs. */
  async ready(): Promise<void> {
    const [sockets] = await Promise.all(this.#workers.map((worker) => worker.ready));
    this.#options.log?.info({ workers: this.#workers.length, sockets }, 'media workers run');
  }

  async open(options: RtpPortOptions): Promise<RtpPort> {
    const local = this.#localAddress(options.family);
    return this.#tryToOpen(() => this.#openPair(local, options));
  }

  openRing(options: RingPortOptions): Promise<RingPort> {
    return this.#tryToOpen(() => this.#openStream(options));
  }

  usage(): PortUsage {
    const { used, total } = this.#pairs;
    const { newSessionsPercent = 100 } = this.#options;
    return { used, total, forNewSessions: Math.ceil((total * newSessionsPercent) / 100) };
  }

  workers(): MediaWorkerStats[] {
    return this.#workers.map((worker) => worker.stats());
  }

  get deaths(): number {
    return this.#deaths;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** @throws Refusal `no_media_ports`, and what an attempt throws */
  async #tryToOpen<Leg extends LegPort>(attempt: () => Promise<Attempt<Leg>>): Promise<Leg> {
    let failure = 'the pool is closed';
    for (let tries = 0; tries < MAX_TRIES && !this.#closed; tries++) {
      const { leg, result } = await attempt();
      // A pool that was closed meanwhile takes the leg down with its worker.
      if (result.ok && this.#closed) break;
      if (result.ok) return leg;
      failure = result.detail;
      if (result.code !== 'EADDRINUSE' && result.code !== 'WORKER_LOST') break;
    }
    throw new Refusal('no_media_ports', failure);
  }

  async #openPair(
    local: { bind: string; advertise: string },
    options: RtpPortOptions,
  ): Promise<Attempt<RtpLegPort>> {
    this.#assertPairsFor(options.affinity);
    const rtpPort = this.#pairs.take(performance.now());
    if (rtpPort === undefined) throw new Refusal('no_media_ports');
    const worker = this.#workerFor(options.affinity);
    const place = { address: local.advertise, rtpPort };
    const leg = new RtpLegPort(this.#nextLeg++, place, options, (message) => worker?.post(message));
    if (!worker) this.#pairs.release(rtpPort, performance.now());
    const result = await this.#openIn(worker, leg, options.affinity, leg.setup(local.bind));
    if (!result.ok)
      this.#options.log?.warn(
        { session: options.affinity, rtpPort, code: result.code },
        'a pair of RTP ports could not be bound',
      );
    return { leg, result };
  }

  async #openStream(options: RingPortOptions): Promise<Attempt<RingLegPort>> {
    const worker = this.#workerFor(options.affinity);
    const leg = new RingLegPort(this.#nextLeg++, options, (message) => worker?.post(message));
    return { leg, result: await this.#openIn(worker, leg, options.affinity, leg.setup()) };
  }

  #assertPairsFor(affinity: string): void {
    const { used, forNewSessions } = this.usage();
    if (used < forNewSessions || this.#places.has(affinity)) return;
    throw new Refusal(
      'no_media_ports',
      'the last pairs are kept for the other parties of sessions that are up',
    );
  }

  async #openIn(
    worker: WorkerHost | undefined,
    leg: LegPort,
    affinity: string,
    setup: RtpLegSetup | RingLegSetup,
  ): Promise<OpenResult> {
    if (!worker) return { ok: false, code: 'NO_WORKER', detail: 'no media worker is running' };
    this.#join(leg, affinity, worker);
    const result = await worker.open(leg, setup);
    if (!result.ok) this.#leave(leg);
    return result;
  }

  #join(leg: LegPort, affinity: string, worker: WorkerHost): void {
    let place = this.#places.get(affinity);
    if (place?.worker !== worker) {
      place = { affinity, worker, legs: 0 };
      this.#places.set(affinity, place);
    }
    place.legs++;
    this.#placeOf.set(leg, place);
  }

  /** The leg is over: its ports rest, and its session's place is forgotten with its last leg. */
  #leave(leg: LegPort): void {
    const place = this.#placeOf.get(leg);
    if (!place) return;
    this.#placeOf.delete(leg);
    if (leg instanceof RtpLegPort) this.#pairs.release(leg.rtpPort, performance.now());
    if (--place.legs === 0 && this.#places.get(place.affinity) === place) this.#places.delete(place.affinity);
  }

  #sessionOf(leg: LegPort): string | undefined {
    return this.#placeOf.get(leg)?.affinity;
  }

  #workerFor(affinity: string): WorkerHost | undefined {
    const known = this.#places.get(affinity)?.worker;
    if (known && this.#workers.includes(known)) return known;
    return this.#workers.reduce<WorkerHost | undefined>(
      (best, worker) => (best && best.load <= worker.load ? best : worker),
      undefined,
    );
  }

  #start(name: string): void {
    const worker = new WorkerHost(name, this.#options.sockets, {
      onClosed: (leg) => this.#leave(leg),
      onLost: (lost, legs, reason) => this.#replace(lost, legs, reason),
      onLegFailed: (leg, detail) =>
        this.#options.log?.error({ session: this.#sessionOf(leg), detail }, 'the media of a leg failed'),
      onUnheard: (leg) =>
        this.#options.log?.warn(
          { session: this.#sessionOf(leg) },
          'a leg cannot hear one that is in another media worker',
        ),
      onHandlerError: (error) => this.#options.log?.error({ err: error }, 'a handler of media events failed'),
    });
    this.#workers.push(worker);
  }

  #replace(lost: WorkerHost, legs: number, reason: Error | undefined): void {
    this.#workers.splice(this.#workers.indexOf(lost), 1);
    this.#deaths++;
    this.#options.log?.error(
      { worker: lost.name, legs, err: reason },
      'a media worker ended; starting it again',
    );
    if (this.#closed) return;
    if (performance.now() - lost.startedAt >= RESTART_GUARD_MS) {
      this.#start(lost.name);
      return;
    }
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#start(lost.name);
    }, RESTART_GUARD_MS);
    this.#restarts.add(timer);
  }

  /** The address to bind for a peer of this family, and the one that SDP shows. */
  #localAddress(family: 4 | 6): { bind: string; advertise: string } {
    const { bindAddress, advertisedAddress } = this.#options;
    const bind = bindAddress === '::' && family === 4 ? '0.0.0.0' : bindAddress;
    if (isIPv6(bind) !== (family === 6)) {
      throw new Refusal('no_media_ports', `media.address has no IPv${family} for this peer`);
    }
    const isAdvertised = advertisedAddress !== undefined && isIPv6(advertisedAddress) === (family === 6);
    if (!isUnspecified(bind)) return { bind, advertise: isAdvertised ? advertisedAddress : bind };
    const local = localAddresses();
    const advertise = isAdvertised ? advertisedAddress : firstLocalAddress(family, local);
    // The peer is told an address of this machine: bound to that one, its socket can be connected.
    return { bind: isBindable(advertise, local) ? advertise : bind, advertise };
  }
}
