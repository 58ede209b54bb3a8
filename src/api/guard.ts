import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import type { ApiCaller } from '../telephony/api-keys.ts';
import { authenticate, authorize, presentedKey } from './authenticate.ts';
import type { Allowance, RateLimits } from './rate-limits.ts';

export interface GuardOptions {
  findCaller: (key: string) => Promise<ApiCaller | undefined>;
  rateLimits: RateLimits;
}

/** Keys, and names of those who sign, that are remembered to be good, as hashes. */
const MOST_KNOWN_KEYS = 10_000;

/**
 * What every request of an organization passes first: who it is, how many requests it has left, and whether its key is
 * good for the route. An address that has failed too often may not try another key for a while; keys that have been
 * good before are looked up all the same, so that nobody locks out those who share an address.
 */
export class Guard {
  readonly #options: GuardOptions;
  readonly #knownKeys = new Set<string>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** @throws ApiError `invalid_api_key`, `organization_inactive`, `rate_limit_exceeded`, `insufficient_permissions` */
  async pass(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    request.caller = await this.identify(request, reply, () =>
      authenticate(request, this.#options.findCaller),
    );
    const { scope, createsSession = false } = request.routeOptions.config;
    assertAllowed(reply, this.#options.rateLimits.take(request.caller.organizationId, createsSession));
    if (!request.is404) authorize(request.caller, scope);
  }

  /** Runs a check of who is asking under the limit of its address. @throws what the check throws, `rate_limit_exceeded` */
  async identify<T>(request: FastifyRequest, reply: FastifyReply, check: () => T | Promise<T>): Promise<T> {
    const address = request.socket.remoteAddress ?? '';
    const failures = this.#options.rateLimits.failedAuthentications;
    const key = createHash('sha256')
      .update(presentedKey(request) ?? '')
      .digest('base64');
    const known = this.#knownKeys.has(key);
    if (!known) assertAllowed(reply, failures.take(address));
    try {
      const result = await check();
      if (!known) failures.giveBack(address);
      this.#remember(key);
      return result;
    } catch (error) {
      // Only an answer of ours says something of the key; a store that is lost does not.
      if (error instanceof ApiError) this.#knownKeys.delete(key);
      else if (!known) failures.giveBack(address);
      throw error;
    }
  }

  /**
   * The same where a signature tells who is asking, by the name that the request gives. A name that was good from an address
   * stays so there, for one who signs it wrongly says nothing of it.
   * @returns what the check returns; undefined when nobody is recognized
   * @throws what the check throws, ApiError `rate_limit_exceeded`
   */
  async recognize<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    check: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const address = request.socket.remoteAddress ?? '';
    const failures = this.#options.rateLimits.failedAuthentications;
    const key = createHash('sha256').update(`${address} ${name}`).digest('base64');
    if (this.#knownKeys.has(key)) return check();
    assertAllowed(reply, failures.take(address));
    const result = await check().catch((error: unknown) => {
      failures.giveBack(address);
      throw error;
    });
    if (result === undefined) return undefined;
    failures.giveBack(address);
    this.#remember(key);
    return result;
  }

  #remember(key: string): void {
    this.#knownKeys.add(key);
    if (this.#knownKeys.size <= MOST_KNOWN_KEYS) return;
    const [oldest] = this.#knownKeys;
    this.#knownKeys.delete(oldest as string);
  }
}

/** @throws ApiError `rate_limit_exceeded` */
function assertAllowed(
  reply: FastifyReply,
  { allowed, limit, remaining, resetAt, retryAfter }: Allowance,
): void {
  reply.headers({
    'X-RateLimit-Limit': limit,
    'X-RateLimit-Remaining': remaining,
    'X-RateLimit-Reset': resetAt,
  });
  if (!allowed) throw new ApiError('rate_limit_exceeded', { retryAfter: Math.max(1, retryAfter) });
}
