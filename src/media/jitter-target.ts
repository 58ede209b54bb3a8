/**
 * How long a missing packet is worth waiting for, learnt from the network, a pure core: by how much packets come later
 * than the quickest of late. Nearly all of them (98 %) come within the target; what is lost holds up the rest by no more
 * than that. Older packets are forgotten, half of them after about 7 s. Nothing is allocated per packet.
 */
const MIN_MS = 20;
const MAX_MS = 200;
/** Until so many packets have come nothing is known of the network. */
const LEARNING_PACKETS = 50;
const UNKNOWN_MS = 60;

const BUCKET_MS = 10;
const BUCKETS = MAX_MS / BUCKET_MS;
const SHARE = 0.98;
/** A packet weighs so much more than the one before: older ones count for less and less. */
const GROWTH = 1.002;
const MAX_WEIGHT = 1e9;
/** The target is worked out anew with every so many packets. */
const STRIDE = 16;

/** The quickest way may have become longer by so much of the time since (500 ppm): clocks drift, routes change. */
const BASE_LEAK = 0.0005;
/** A step of more than this in either direction is another timeline of the peer's, and says nothing of the network. */
const MAX_STEP_MS = 1000;

export class JitterTarget {
  readonly #weights = new Float64Array(BUCKETS);
  #total = 0;
  #weight = 1;
  #count = 0;
  #target = UNKNOWN_MS;
  /** Delay of the last packet and of the quickest, against an arbitrary zero, and when it was. */
  #transit = 0;
  #base = 0;
  #at = 0;

  /** ms from 20 to 200. */
  get ms(): number {
    return this.#target;
  }

  /**
   * @param now monotonic ms of arrival
   * @param later ms by which it took longer than the packet before; NaN for the first of a stream
   */
  observe(now: number, later: number): void {
    const elapsed = now - this.#at;
    this.#at = now;
    if (!(later <= MAX_STEP_MS && later >= -MAX_STEP_MS)) {
      this.#transit = 0;
      this.#base = 0;
      return;
    }
    this.#transit += later;
    this.#base = Math.min(this.#base + elapsed * BASE_LEAK, this.#transit);
    this.#learn(this.#transit - this.#base);
  }

  #learn(delay: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.floor(delay / BUCKET_MS));
    this.#weights[bucket] = (this.#weights[bucket] as number) + this.#weight;
    this.#total += this.#weight;
    this.#weight *= GROWTH;
    if (this.#weight > MAX_WEIGHT) this.#rescale();
    this.#count++;
    if (this.#count >= LEARNING_PACKETS && this.#count % STRIDE === 0) this.#target = this.#quantile();
  }

  #quantile(): number {
    let sum = 0;
    let bucket = 0;
    while (bucket < BUCKETS - 1) {
      sum += this.#weights[bucket] as number;
      if (sum >= SHARE * this.#total) break;
      bucket++;
    }
    return Math.max(MIN_MS, Math.min(MAX_MS, (bucket + 1) * BUCKET_MS));
  }

  #rescale(): void {
    for (let i = 0; i < BUCKETS; i++) this.#weights[i] = (this.#weights[i] as number) / this.#weight;
    this.#total /= this.#weight;
    this.#weight = 1;
  }
}
