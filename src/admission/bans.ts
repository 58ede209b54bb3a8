import type { Clock } from '../clock.ts';

/** Who is not served for a while. Source: decisions §3, "Bans". */

/** Beginnings of the User-Agent of scanners, in lower case. */
const SCANNERS = [
  'friendly-scanner',
  'friendly-request',
  'sipvicious',
  'sundayddr',
  'sip-scan',
  'sipscan',
  'sipcli',
  'pplsip',
  'siparmyknife',
  'sivus',
  'iwar',
  'smap',
];

const MAX_SOURCES = 10_000;
const TRUST_MS = 24 * 3600 * 1000;

export function isScanner(userAgent: string | undefined): boolean {
  const name = userAgent?.trim().toLowerCase() ?? '';
  return SCANNERS.some((scanner) => name.startsWith(scanner));
}

export type BanCause = 'wrong_credentials' | 'scanner';

export interface Ban {
  source: string;
  cause: BanCause;
  /** Wall clock, ms. */
  until: number;
}

/** The setting `sip.ban`. */
export interface BanSettings {
  after: number;
  within_seconds: number;
  for_seconds: number;
}

/**
 * Counts strikes per source address and bans. A strike is wrong credentials that `countsForBan` says so of, or a
 * scanner's request; nothing else. `allowlisted` = the source stands on an allowlist through an entry that identifies.
 * Every table is bounded: the entry untouched for longest goes, and is counted.
 */
export class Bans {
  readonly #settings: BanSettings;
  readonly #clock: Clock;
  readonly #strikes: BoundedTable<number[]>;
  readonly #bans: BoundedTable<Ban>;
  readonly #trusted: BoundedTable<number>;

  constructor(settings: BanSettings, clock: Clock, maxSources: number = MAX_SOURCES) {
    this.#settings = settings;
    this.#clock = clock;
    this.#strikes = new BoundedTable(maxSources);
    this.#bans = new BoundedTable(maxSources);
    this.#trusted = new BoundedTable(maxSources);
  }

  /** @returns the ban when this strike has brought it about */
  strike(source: string, cause: BanCause, allowlisted: boolean): Ban | null {
    const now = this.#clock.now();
    if (allowlisted || this.#isTrusted(source)) return null;
    const since = now - this.#settings.within_seconds * 1000;
    const strikes = [...(this.#strikes.get(source) ?? []).filter((at) => at > since), now];
    if (strikes.length < this.#settings.after) {
      this.#strikes.set(source, strikes);
      return null;
    }
    const ban = { source, cause, until: now + this.#settings.for_seconds * 1000 };
    this.#strikes.delete(source);
    this.#bans.set(source, ban);
    return ban;
  }

  /** A call or REGISTER of this address succeeded: for 24 h it is not banned. */
  succeeded(source: string): void {
    this.#trusted.set(source, this.#clock.now());
    this.#strikes.delete(source);
    this.#bans.delete(source);
  }

  isBanned(source: string, allowlisted: boolean): boolean {
    const ban = this.#bans.get(source);
    if (ban === undefined) return false;
    if (ban.until > this.#clock.now()) return !allowlisted;
    this.#bans.delete(source);
    return false;
  }

  /** Those in force, for the operator and for the engine. */
  list(): Ban[] {
    return [...this.#bans.values()].filter((ban) => ban.until > this.#clock.now());
  }

  /** Entries that full tables have dropped. */
  get dropped(): number {
    return this.#strikes.dropped + this.#bans.dropped + this.#trusted.dropped;
  }

  #isTrusted(source: string): boolean {
    const at = this.#trusted.get(source);
    return at !== undefined && this.#clock.now() - at < TRUST_MS;
  }
}

class BoundedTable<Value> {
  readonly #capacity: number;
  readonly #entries = new Map<string, Value>();
  dropped = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  /** The entry becomes the youngest. */
  set(key: string, value: Value): void {
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= this.#capacity) {
      this.#entries.delete(oldest);
      this.dropped += 1;
    }
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  values(): Iterable<Value> {
    return this.#entries.values();
  }
}
