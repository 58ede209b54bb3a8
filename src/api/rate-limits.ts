import type { Clock } from '../clock.ts';

/** Requests that each of these allows per minute, all of which may come at once. */
export interface RateLimitSettings {
  requests_per_minute: number;
  session_creates_per_minute: number;
  failed_authentications_per_minute: number;
}

/** Where a bucket stands after a request; what the `X-RateLimit-` headers say (contract §10). */
export interface Allowance {
  allowed: boolean;
  limit: number;
  /** Whole requests that are left. */
  remaining: number;
  /** Unix seconds at which the bucket is full again. */
  resetAt: number;
  /** Seconds until the next request is allowed; 0 while there is one left. */
  retryAfter: number;
}

/** Buckets that are kept at most; beyond it the one that was asked for the longest ago is forgotten. */
const MOST_BUCKETS = 10_000;

/** Token buckets, one per key, that refill steadily. */
export class TokenBuckets {
  readonly #perMinute: number;
  readonly #clock: Clock;
  /** In the order in which they were asked for last. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token, if there is one. */
  take(key: string): Allowance {
    const tokens = this.#tokens(key);
    const allowed = tokens >= 1;
    return this.#keep(key, allowed ? tokens - 1 : tokens, allowed);
  }

  /** Gives one token back. */
  giveBack(key: string): void {
    this.#keep(key, Math.min(this.#perMinute, this.#tokens(key) + 1), true);
  }

  #tokens(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return this.#perMinute;
    const passedMs = Math.max(0, this.#clock.now() - bucket.at);
    return Math.min(this.#perMinute, bucket.tokens + (passedMs / 60_000) * this.#perMinute);
  }

  #keep(key: string, tokens: number, allowed: boolean): Allowance {
    const now = this.#clock.now();
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens, at: now });
    if (this.#buckets.size > MOST_BUCKETS) {
      const [oldest] = this.#buckets.keys();
      this.#buckets.delete(oldest as string);
    }
    const secondsFor = (missing: number) => (missing / this.#perMinute) * 60;
    return {
      allowed,
      limit: this.#perMinute,
      remaining: Math.floor(tokens),
      resetAt: Math.ceil(now / 1000 + secondsFor(this.#perMinute - tokens)),
      retryAfter: Math.ceil(secondsFor(Math.max(0, 1 - tokens))),
    };
  }
}

/** The limits of the REST API (contract §10): per organization, and per address for who cannot say who it is. */
export class RateLimits {
  readonly #requests: TokenBuckets;
  readonly #sessionCreates: TokenBuckets;
  readonly failedAuthentications: TokenBuckets;

  constructor(settings: RateLimitSettings, clock: Clock) {
    this.#requests = new TokenBuckets(settings.requests_per_minute, clock);
    this.#sessionCreates = new TokenBuckets(settings.session_creates_per_minute, clock);
    this.failedAuthentications = new TokenBuckets(settings.failed_authentications_per_minute, clock);
  }

  /** Counts a request of an organization. @returns where its tighter limit stands */
  take(organizationId: string, createsSession: boolean): Allowance {
    const requests = this.#requests.take(organizationId);
    if (!createsSession || !requests.allowed) return requests;
    const creates = this.#sessionCreates.take(organizationId);
    return creates.allowed && requests.remaining < creates.remaining ? requests : creates;
  }
}
