import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { randomFrom } from '../fuzz/random.ts';

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

/**
 * A bad network between peers and one UDP service: send to `address` instead of the service. The service sees each peer
 * at a port of its own. What is lost is decided by the seed and by the order in which packets come.
 */
export class ImpairedPath {
  /** `host:port` to send to. */
  readonly address: string;
  readonly counts = { forwarded: 0, lost: 0, duplicated: 0, reordered: 0, overflowed: 0 };
  readonly #front: Socket;
  readonly #service: { host: string; port: number };
  readonly #impairment: Required<Impairment>;
  readonly #random: (below: number) => number;
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
    this.#random = randomFrom(impairment.seed);
    const { address, port } = front.address();
    this.address = `${address}:${port}`;
    front.on('message', (bytes, { address: host, port: from }) => {
      const back = this.#backFor(host, from);
      if (back !== undefined) this.#carry(() => back.send(bytes, service.port, service.host));
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
      this.#carry(() => this.#front.send(bytes, port, host));
    });
    this.#backs.set(`${host}:${port}`, back);
    return back;
  }

  /** Takes one packet: it is sent once, twice, later, or never. */
  #carry(send: () => void): void {
    const { lossPercent, duplicatePercent } = this.#impairment;
    if (this.#happens(lossPercent)) {
      this.counts.lost += 1;
      return;
    }
    const times = this.#happens(duplicatePercent) ? 2 : 1;
    this.counts.duplicated += times - 1;
    for (let n = 0; n < times; n++) this.#later(send);
  }

  #later(send: () => void): void {
    if (this.#inFlight.size >= MAX_IN_FLIGHT) {
      this.counts.overflowed += 1;
      return;
    }
    const { delayMs, reorderPercent, reorderMs } = this.#impairment;
    const overtaken = this.#happens(reorderPercent);
    if (overtaken) this.counts.reordered += 1;
    const ms = delayMs + (overtaken ? 1 + this.#random(reorderMs) : 0);
    const timer = setTimeout(() => {
      this.#inFlight.delete(timer);
      this.counts.forwarded += 1;
      send();
    }, ms);
    this.#inFlight.add(timer);
  }

  #happens(percent: number): boolean {
    return this.#random(10_000) < percent * 100;
  }
}
