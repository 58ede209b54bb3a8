import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Random, randomFrom } from '../fuzz/random.ts';

/** How bad the way is, in both directions alike. Percentages are of packets. */
export interface Impairment {
  seed: number;
  lossPercent?: number;
  duplicatePercent?: number;
  /** ms that every packet takes. */
  delayMs?: number;
  /** So many packets take up to `reorderMs` more, and are overtaken. */
  reorderPercent?: number;
  reorderMs?: number;
}

/** Packets that may be on their way at a time, and peers that may use it; what is over that is lost and counted. */
const MAX_IN_FLIGHT = 10_000;
const MAX_PEERS = 1_000;
/** Lost packets whose numbers are kept, for each direction. */
const MAX_REMEMBERED = 100_000;

/** Packets of one direction, all peers together. */
class Direction {
  /** How many have come. */
  packets = 0;
  /** The numbers of those that were lost; the first packet is 0. */
  readonly lost: number[] = [];
  readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
  }
}

/**
 * A bad network between peers and one UDP service: send to `address` instead of the service. The service sees each peer
 * at a port of its own. What happens to a packet is decided by the seed, its direction and its number, and by nothing else.
 */
export class ImpairedPath {
  /** `host:port` to send to. */
  readonly address: string;
  readonly counts = { forwarded: 0, lost: 0, duplicated: 0, reordered: 0, overflowed: 0 };
  readonly toService: Direction;
  readonly toPeers: Direction;
  readonly #front: Socket;
  readonly #service: { host: string; port: number };
  readonly #impairment: Required<Impairment>;
  readonly #backs = new Map<string, Socket>();
  readonly #inFlight = new Set<NodeJS.Timeout>();

  private constructor(front: Socket, service: { host: string; port: number }, impairment: Impairment) {
    this.#front = front;
    this.#service = service;
    this.#impairment = {
      lossPercent: 0,
      duplicatePercent: 0,
      delayMs: 0,
      reorderPercent: 0,
      reorderMs: 30,
      ...impairment,
    };
    this.toService = new Direction(impairment.seed);
    this.toPeers = new Direction(~impairment.seed);
    const { address, port } = front.address();
    this.address = `${address}:${port}`;
    front.on('message', (bytes, { address: host, port: from }) => {
      const back = this.#backFor(host, from);
      if (back !== undefined) this.#carry(this.toService, () => back.send(bytes, service.port, service.host));
    });
  }

  /** @param service `host:port` */
  static async open(service: string, impairment: Impairment): Promise<ImpairedPath> {
    const [host = '', port] = service.split(':');
    const front = createSocket('udp4').bind(0, '127.0.0.1');
    await once(front, 'listening');
    return new ImpairedPath(front, { host, port: Number(port) }, impairment);
  }

  close(): void {
    for (const timer of this.#inFlight) clearTimeout(timer);
    this.#inFlight.clear();
    this.#front.close();
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
  }

  /** Where the service sees a peer. */
  #backFor(host: string, port: number): Socket | undefined {
    const known = this.#backs.get(`${host}:${port}`);
    if (known !== undefined) return known;
    if (this.#backs.size >= MAX_PEERS) {
      this.counts.overflowed += 1;
      return undefined;
    }
    const back = createSocket('udp4').bind(0, '127.0.0.1');
    back.on('message', (bytes, from) => {
      if (from.port !== this.#service.port) return;
      this.#carry(this.toPeers, () => this.#front.send(bytes, port, host));
    });
    this.#backs.set(`${host}:${port}`, back);
    return back;
  }

  /** Takes one packet: it is sent once, twice, later, or never. */
  #carry(direction: Direction, send: () => void): void {
    const { lossPercent, duplicatePercent } = this.#impairment;
    const number = direction.packets++;
    const random = randomFrom(Math.imul(number + 1, 0x9e37_79b1) ^ direction.seed);
    if (happens(lossPercent, random)) {
      this.counts.lost += 1;
      if (direction.lost.length < MAX_REMEMBERED) direction.lost.push(number);
      return;
    }
    const times = happens(duplicatePercent, random) ? 2 : 1;
    this.counts.duplicated += times - 1;
    for (let n = 0; n < times; n++) this.#later(send, random);
  }

  #later(send: () => void, random: Random): void {
    if (this.#inFlight.size >= MAX_IN_FLIGHT) {
      this.counts.overflowed += 1;
      return;
    }
    const { delayMs, reorderPercent, reorderMs } = this.#impairment;
    const overtaken = happens(reorderPercent, random);
    if (overtaken) this.counts.reordered += 1;
    const ms = delayMs + (overtaken ? 1 + random(reorderMs) : 0);
    const timer = setTimeout(() => {
      this.#inFlight.delete(timer);
      this.counts.forwarded += 1;
      send();
    }, ms);
    this.#inFlight.add(timer);
  }
}

const happens = (percent: number, random: Random): boolean => random(10_000) < percent * 100;
