import type { AddressRecord, Dns, Family } from './dns.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';

/** Answers that are kept; the oldest goes first. */
const MAX_ENTRIES = 1_000;
/** Questions that are on their way. */
const MAX_OPEN = 100;

/** For how many seconds an answer is good. */
const good = {
  /** A TTL is cut to this. */
  most: 3_600,
  /** Where node tells no TTL: SRV, NAPTR. */
  unknown: 60,
  /** There is no such record. */
  none: 30,
  /** Nobody could tell: the next call does not wait for a server that does not answer. */
  failed: 5,
};

/** Answers of the DNS for as long as they are good; a question that is on its way is not asked again. */
export class DnsCache implements Dns {
  readonly #dns: Dns;
  readonly #clock: EngineClock;
  readonly #stats: EngineStats;
  readonly #answers = new Map<string, { answer: Promise<readonly unknown[]>; until: number }>();
  #open = 0;

  constructor(dns: Dns, clock: EngineClock, stats: EngineStats) {
    this.#dns = dns;
    this.#clock = clock;
    this.#stats = stats;
  }

  naptr: Dns['naptr'] = (name) => this.#answer(`naptr ${name}`, () => this.#dns.naptr(name));

  srv: Dns['srv'] = (name) => this.#answer(`srv ${name}`, () => this.#dns.srv(name));

  addresses = (name: string, family: Family): Promise<readonly AddressRecord[]> =>
    this.#answer(`${family} ${name}`, () => this.#dns.addresses(name, family), leastTtl);

  lookup: Dns['lookup'] = (name) => this.#answer(`lookup ${name}`, () => this.#dns.lookup(name));

  #answer<Item>(
    key: string,
    ask: () => Promise<readonly Item[]>,
    ttl: (items: readonly Item[]) => number = () => good.unknown,
  ): Promise<readonly Item[]> {
    const known = this.#answers.get(key);
    if (known !== undefined && this.#clock.monotonic() < known.until) {
      return known.answer as Promise<readonly Item[]>;
    }
    const entry = { answer: this.#ask(ask), until: Number.POSITIVE_INFINITY };
    this.#keep(key, entry);
    const keepFor = (seconds: number): void => {
      entry.until = this.#clock.monotonic() + seconds * 1000;
    };
    entry.answer.then(
      (items) => keepFor(items.length === 0 ? good.none : Math.min(ttl(items), good.most)),
      () => keepFor(good.failed),
    );
    return entry.answer;
  }

  async #ask<Item>(ask: () => Promise<readonly Item[]>): Promise<readonly Item[]> {
    if (this.#open >= MAX_OPEN) throw new Error(`${MAX_OPEN} questions wait for an answer already`);
    this.#open += 1;
    this.#stats.dnsQueries += 1;
    try {
      return await ask();
    } catch (error) {
      this.#stats.dnsFailures += 1;
      throw error;
    } finally {
      this.#open -= 1;
    }
  }

  #keep(key: string, entry: { answer: Promise<readonly unknown[]>; until: number }): void {
    this.#answers.delete(key);
    if (this.#answers.size >= MAX_ENTRIES) {
      const [oldest] = this.#answers.keys();
      if (oldest !== undefined) this.#answers.delete(oldest);
    }
    this.#answers.set(key, entry);
  }
}

const leastTtl = (records: readonly AddressRecord[]): number => Math.min(...records.map(({ ttl }) => ttl));
