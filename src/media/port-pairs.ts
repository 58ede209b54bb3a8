/**
 * The pairs of UDP ports that legs use, a pure core: RTP on an even port, RTCP on the odd one above. A freed pair goes
 * to the end of the queue, so that late packets of an old call do not reach a new one; the head has always rested
 * longest, and is used before its 30 s only when no rested one is left, but never before 2 s (decisions §5).
 */
const MIN_REST_MS = 2000;

export class PortPairs {
  /** A ring buffer of the free pairs' RTP ports, and since when each is free. */
  readonly #ports: Int32Array;
  readonly #freedAt: Float64Array;
  #head = 0;
  #free: number;

  /**
   * @param ports the range, both ends included; odd ends are left out
   * @param begin where in the range to begin, 0 to 1: by chance, so that nobody can tell the next port, and two
   *   gateways on one machine do not meet at every call
   */
  constructor(ports: { from: number; to: number }, begin = 0) {
    const first = ports.from + (ports.from % 2);
    const total = Math.max(0, Math.floor((ports.to - first + 1) / 2));
    this.#ports = Int32Array.from({ length: total }, (_, i) => first + 2 * i);
    this.#freedAt = new Float64Array(total).fill(Number.NEGATIVE_INFINITY);
    this.#free = total;
    this.#head = total === 0 ? 0 : Math.floor(begin * total) % total;
  }

  get total(): number {
    return this.#ports.length;
  }

  get used(): number {
    return this.total - this.#free;
  }

  /**
   * @param now monotonic ms
   * @returns the RTP port of the pair that has rested longest, or undefined when none has rested enough
   */
  take(now: number): number | undefined {
    if (this.#free === 0 || now - (this.#freedAt[this.#head] as number) < MIN_REST_MS) return undefined;
    const port = this.#ports[this.#head];
    this.#head = (this.#head + 1) % this.total;
    this.#free--;
    return port;
  }

  /** Puts a pair that was taken at the end of the queue: its leg is over, or somebody else holds the port. */
  release(port: number, now: number): void {
    const tail = (this.#head + this.#free) % this.total;
    this.#ports[tail] = port;
    this.#freedAt[tail] = now;
    this.#free++;
  }
}
