import { LATENCY_BYTES, LatencyHistogram } from '../telemetry/latency-histogram.ts';
import type { MediaCounters } from './media-port.ts';

/**
 * The counters of one leg in a SharedArrayBuffer: the worker writes plain numbers, the main thread reads them without
 * a message. Layout: a Float64 per counter, then the locked source as one length byte and ASCII text,
 * then a histogram.
 */
const names = [
  'packetsReceived',
  'packetsSent',
  'packetsLost',
  'packetsLate',
  'packetsDuplicated',
  'packetsDroppedInvalid',
  'packetsDroppedBySource',
  'packetsDroppedUnauthentic',
  'packetsDroppedReplayed',
  'packetsDroppedOverrun',
  'rtcpReceived',
  'bytesReceived',
  'bytesSent',
  'jitterMs',
  'jitterTargetMs',
  'concealedMs',
  'silencePacketsSent',
  'silentForMs',
  'socketErrors',
  'roundTripMs',
  'peerPacketsLost',
  'peerJitterMs',
  'rtcpSent',
  'digitsDropped',
  'directDroppedMs',
  'firstSentAt',
  'packetsDroppedUnread',
] as const satisfies readonly (keyof MediaCounters)[];

type Name = (typeof names)[number];

/** Index of each counter in the block. */
export const counter = Object.fromEntries(names.map((name, index) => [name, index])) as Readonly<
  Record<Name, number>
>;

const NUMBER_BYTES = names.length * 8;
const SOURCE_BYTES = 64;
const DIRECT_AT = NUMBER_BYTES + SOURCE_BYTES;

export class StatsBlock {
  readonly buffer: SharedArrayBuffer;
  /** How long what others say waits before it is heard. */
  readonly direct: LatencyHistogram;
  readonly #numbers: Float64Array;
  readonly #source: Uint8Array;

  /** Attaches to the block of `StatsBlock.create`, on this thread or on another. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#numbers = new Float64Array(buffer, 0, names.length);
    this.#source = new Uint8Array(buffer, NUMBER_BYTES, SOURCE_BYTES);
    this.direct = new LatencyHistogram(buffer, DIRECT_AT);
  }

  static create(): StatsBlock {
    const block = new StatsBlock(new SharedArrayBuffer(DIRECT_AT + LATENCY_BYTES));
    block.set(counter.silentForMs, -1);
    block.set(counter.roundTripMs, -1);
    block.set(counter.firstSentAt, -1);
    return block;
  }

  add(index: number, amount: number): void {
    this.#numbers[index] = (this.#numbers[index] as number) + amount;
  }

  set(index: number, value: number): void {
    this.#numbers[index] = value;
  }

  /** @param source the locked source as `address:port` */
  setSource(source: string): void {
    const length = Math.min(source.length, SOURCE_BYTES - 1);
    // A reader in between sees an empty source, never half of two.
    Atomics.store(this.#source, 0, 0);
    for (let i = 0; i < length; i++) this.#source[i + 1] = source.charCodeAt(i) & 0x7f;
    Atomics.store(this.#source, 0, length);
  }

  read(): MediaCounters {
    const stats = {} as Record<Name, number>;
    names.forEach((name, index) => {
      stats[name] = this.#numbers[index] as number;
    });
    const length = Atomics.load(this.#source, 0);
    return { ...stats, source: String.fromCharCode(...this.#source.slice(1, 1 + length)) };
  }
}
