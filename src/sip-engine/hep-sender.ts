import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { encodeHep, type HepAgent } from './hep.ts';
import type { EngineStats } from './stats.ts';
import type { WireMessage } from './wire-message.ts';

/** Where copies of all messages go. */
export interface HepSettings extends HepAgent {
  /** Name or address of the Homer server. */
  host: string;
  port: number;
}

export interface HepSender {
  /** Never throws; what cannot be sent is counted. */
  send(message: WireMessage): void;
  close(): void;
}

/** Packets that wait to be sent. */
const MAX_UNSENT = 1_000;
/** A server that is named may move. */
const LOOKUP_MS = 60_000;

/** Sends copies of all messages to a Homer server, by UDP. Whether it is there makes no difference to calls. */
export function openHepSender(settings: HepSettings, stats: EngineStats): HepSender {
  const sender = new UdpHepSender(settings, stats);
  void sender.find();
  return sender;
}

class UdpHepSender implements HepSender {
  readonly #settings: HepSettings;
  readonly #stats: EngineStats;
  readonly #again: NodeJS.Timeout;
  #target: { address: string; socket: Socket } | undefined;
  #unsent = 0;
  #closed = false;
  /** The ms of the last message, and how many came in it before. */
  #last = { at: 0, count: 0 };

  constructor(settings: HepSettings, stats: EngineStats) {
    this.#settings = settings;
    this.#stats = stats;
    this.#again = setInterval(() => void this.find(), LOOKUP_MS).unref();
  }

  /** Looks the server up; without an answer it stays where it was. */
  async find(): Promise<void> {
    try {
      const { address, family } = await lookup(this.#settings.host);
      if (this.#closed || address === this.#target?.address) return;
      const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
      socket.on('error', () => {});
      this.#target?.socket.close();
      this.#target = { address, socket };
    } catch {
      // Every message that finds no server is counted.
    }
  }

  send(message: WireMessage): void {
    if (this.#target === undefined || this.#unsent >= MAX_UNSENT) {
      this.#stats.hepDropped += 1;
      return;
    }
    const { address, socket } = this.#target;
    this.#unsent += 1;
    socket.send(
      encodeHep(message, this.#micros(message.at), this.#settings),
      this.#settings.port,
      address,
      (error) => {
        this.#unsent -= 1;
        if (error === null) this.#stats.hepSent += 1;
        else this.#stats.hepDropped += 1;
      },
    );
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#again);
    this.#target?.socket.close();
    this.#target = undefined;
  }

  /** The clock tells ms, the server sorts by us: messages of one ms stay in order. */
  #micros(at: number): number {
    this.#last = { at, count: at === this.#last.at ? Math.min(this.#last.count + 1, 999) : 0 };
    return Math.floor(at) * 1000 + this.#last.count;
  }
}
