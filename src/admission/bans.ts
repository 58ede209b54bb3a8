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
/** ms for which a source that succeeded is not banned. */
export const TRUST_MS = 24 * 3600 * 1000;

export function isScanner(userAgent: string | undefined): boolean {
  const name = userAgent?.trim().toLowerCase() ?? '';
  return SCANNERS.some((scanner) => name.startsWith(scanner));
}

export type BanCause = 'wrong_credentials' | 'scanner' | 'operator';

export interface Ban {
  source: string;
  cause: BanCause;
  /** Strikes that brought it about; 0 by hand. */
  count: number;
  /** Wall clock, ms. */
  since: number;
  until: number;
}

/** The setting `sip.ban`. */
export interface BanSettings {
  after: number;
  within_seconds: number;
  for_seconds: number;
}

/**
 * Counts strikes per source address and bans; remembers who called from where. Whose strikes count and what a ban means
 * for whom is said in `sip/scanner-defence.ts`. Every table is bounded: the entry untouched for longest goes, and is counted.
 */
export class Bans {
  readonly #settings: BanSettings;
  readonly #clock: Clock;
  readonly #strikes: BoundedTable<number[]>;
  readonly #bans: BoundedTable<Ban>;
  /** When somebody called from a source last, and when an organization did. */
  readonly #trusted: BoundedTable<number>;

  constructor(settings: BanSettings, clock: Clock, maxSources: number = MAX_SOURCES) {
    this.#settings = settings;
    this.#clock = clock;
    this.#strikes = new BoundedTable(maxSources);
    this.#bans = new BoundedTable(maxSources);
    this.#trusted = new BoundedTable(2 * maxSources);
  }

  /** @returns the ban when this strike has brought it about */
  strike(source: string, cause: BanCause): Ban | null {
    const now = this.#clock.now();
    const since = now - this.#settings.within_seconds * 1000;
    const strikes = [...(this.#strikes.get(source) ?? []).filter((at) => at > since), now];
    if (strikes.length < this.#settings.after) {
      this.#strikes.set(source, strikes);
      return null;
    }
    this.#strikes.delete(source);
    return this.ban(source, cause, this.#settings.for_seconds * 1000, strikes.length);
  }

  /** Bans without more ado; a ban that is in force already is replaced. */
  ban(source: string, cause: BanCause, forMs: number, count = 0): Ban {
    const since = this.#clock.now();
    const ban = { source, cause, count, since, until: since + forMs };
    this.#bans.set(source, ban);
    return ban;
  }

  /** Forgets ban and strikes. @returns whether there was a ban */
  lift(source: string): boolean {
    const banned = this.inForce(source) !== undefined;
    this.#bans.delete(source);
    this.#strikes.delete(source);
    return banned;
  }

  inForce(source: string): Ban | undefined {
    const ban = this.#bans.get(source);
    if (ban === undefined || ban.until > this.#clock.now()) return ban;
    this.#bans.delete(source);
    return undefined;
  }

  /** Those in force, for the operator and for the engine. */
  list(): Ban[] {
    return [...this.#bans.values()].filter((ban) => ban.until > this.#clock.now());
  }

  /** A call or REGISTER of this organization succeeded from there; that counts for 24 h. */
  succeeded(source: string, organizationId: string): void {
    this.#trusted.set(source, this.#clock.now());
    this.#trusted.set(`${source} ${organizationId}`, this.#clock.now());
  }

  /** Whether a call or REGISTER succeeded from there in the last 24 h: of anybody, or of one organization. */
  isTrusted(source: string, organizationId?: string): boolean {
    const at = this.#trusted.get(organizationId === undefined ? source : `${source} ${organizationId}`);
    return at !== undefined && this.#clock.now() - at < TRUST_MS;
  }

  /** Sources that somebody called from, and for how long that counts. */
  trusted(): { source: string; forMs: number }[] {
    const now = this.#clock.now();
    return [...this.#trusted.entries()]
      .filter(([key]) => !key.includes(' '))
      .map(([source, at]) => ({ source, forMs: at + TRUST_MS - now }))
      .filter(({ forMs }) => forMs > 0);
  }

  /** Entries that full tables have dropped. */
  get dropped(): number {
    return this.#strikes.dropped + this.#bans.dropped + this.#trusted.dropped;
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

  entries(): Iterable<[string, Value]> {
    return this.#entries.entries();
  }

  values(): Iterable<Value> {
    return this.#entries.values();
  }
}
