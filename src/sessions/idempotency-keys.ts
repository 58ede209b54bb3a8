import type { Transaction } from 'kysely';
import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** An answer is kept for so long (contract §11). */
const KEPT_MS = 24 * 3_600_000;
/** A request without an answer holds its key for so long: longer than it may take, for it may have died. */
const LEASE_MS = 60_000;
const SWEPT_AT_ONCE = 1000;

/** What was answered the first time. */
export interface KeptAnswer {
  status: number;
  /** As it was sent, JSON. */
  body: string;
}

/** What makes two requests the same. */
export interface IdempotentRequest {
  organizationId: string;
  key: string;
  /** SHA-256 of method, path and body. */
  fingerprint: string;
  /** For a request that may take longer than others. */
  leaseMs?: number | undefined;
}

/**
 * The `Idempotency-Key`s of requests and their answers (contract §11). A request claims its key first, and keeps its
 * answer in the transaction of the change that it makes: after a crash there are both, or neither, and then the claim
 * runs out and a retry starts afresh.
 */
export class IdempotencyKeys {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * @returns the claim on the key, or the answer if the request was answered before
   * @throws ApiError `idempotency_mismatch`, `idempotency_conflict`
   */
  claim(request: IdempotentRequest): Promise<Claim | KeptAnswer> {
    const { organizationId, key, fingerprint, leaseMs = LEASE_MS } = request;
    const at = this.#clock.now();
    return this.#store.write(async (transaction) => {
      const row = {
        organization_id: organizationId,
        key,
        fingerprint,
        status: null,
        body: null,
        created_at: at,
        lease_until: at + leaseMs,
      };
      // Of those who come at once, on any node, one makes the row; the others see it.
      const { numInsertedOrUpdatedRows: made } = await transaction
        .insertInto('idempotency_keys')
        .values(row)
        .onConflict((conflict) => conflict.columns(['organization_id', 'key']).doNothing())
        .executeTakeFirstOrThrow();
      const claim = new Claim(this.#store, request, at);
      if (made === 1n) return claim;
      const known = await transaction
        .selectFrom('idempotency_keys')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('key', '=', key)
        .executeTakeFirst();
      if (known && at < holdsUntil(known)) return answerOf(known, fingerprint);
      if (!known) throw new ApiError('idempotency_conflict', { retryAfter: 1 });
      const { numUpdatedRows: taken } = await transaction
        .updateTable('idempotency_keys')
        .set(row)
        .where('organization_id', '=', organizationId)
        .where('key', '=', key)
        .where('created_at', '=', known.created_at)
        .executeTakeFirstOrThrow();
      if (taken !== 1n) throw new ApiError('idempotency_conflict', { retryAfter: 1 });
      return claim;
    });
  }

  /** Forgets what is too old to count, some at a time. */
  sweep(): Promise<void> {
    const before = this.#clock.now() - KEPT_MS;
    return this.#store.write(async (transaction) => {
      await transaction
        .deleteFrom('idempotency_keys')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('organization_id', 'key'),
            'in',
            selectFrom('idempotency_keys as old')
              .select(['old.organization_id', 'old.key'])
              .where('old.created_at', '<', before)
              .limit(SWEPT_AT_ONCE)
              .$asTuple('organization_id', 'key'),
          ),
        )
        .execute();
    });
  }
}

function holdsUntil(known: {
  status: number | null;
  created_at: number;
  lease_until: number | null;
}): number {
  const madeAt = Number(known.created_at);
  return known.status === null ? Number(known.lease_until ?? madeAt + LEASE_MS) : madeAt + KEPT_MS;
}

function answerOf(
  known: { fingerprint: string; status: number | null; body: string | null },
  fingerprint: string,
): KeptAnswer {
  if (known.fingerprint !== fingerprint) throw new ApiError('idempotency_mismatch');
  if (known.status === null) throw new ApiError('idempotency_conflict', { retryAfter: 1 });
  return { status: known.status, body: known.body ?? '' };
}

/** The right of one request to answer for a key. */
export class Claim {
  readonly #store: Store;
  readonly #request: IdempotentRequest;
  readonly #at: number;
  #kept = false;

  constructor(store: Store, request: IdempotentRequest, at: number) {
    this.#store = store;
    this.#request = request;
    this.#at = at;
  }

  /** Whether an answer was written; it is on disk once its transaction is. */
  get kept(): boolean {
    return this.#kept;
  }

  /**
   * Keeps the answer, in the transaction of the change that it tells of.
   * @throws ApiError `idempotency_conflict` when the claim ran out and another has it: the change is undone
   */
  async keep(transaction: Transaction<Schema>, { status, body }: KeptAnswer): Promise<void> {
    const { numUpdatedRows } = await transaction
      .updateTable('idempotency_keys')
      .set({ status, body })
      .where('organization_id', '=', this.#request.organizationId)
      .where('key', '=', this.#request.key)
      .where('created_at', '=', this.#at)
      .where('status', 'is', null)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows !== 1n) throw new ApiError('idempotency_conflict', { retryAfter: 1 });
    this.#kept = true;
  }

  /** Keeps the answer of a request that changes nothing in the store itself. */
  keepAlone(answer: KeptAnswer): Promise<void> {
    return this.#store.write((transaction) => this.keep(transaction, answer));
  }

  /** The request failed: the next one with this key starts afresh. An answer that is on disk stays. */
  async giveBack(): Promise<void> {
    await this.#store.write((transaction) =>
      transaction
        .deleteFrom('idempotency_keys')
        .where('organization_id', '=', this.#request.organizationId)
        .where('key', '=', this.#request.key)
        .where('created_at', '=', this.#at)
        .where('status', 'is', null)
        .execute(),
    );
  }
}
