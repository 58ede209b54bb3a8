import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { type Page, readPage } from '../store/page.ts';
import type { DeliveryAttemptRow, DeliveryRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

/** A delivery and the type of its event. */
export type Delivery = DeliveryRow & { type: string };
/** One try of a delivery. */
export type Attempt = DeliveryAttemptRow;

/** Attempts that are shown of a delivery; somebody who sends it again and again makes more of them. */
const ATTEMPTS_SHOWN = 100;

/** What became of the events that went to an organization's endpoints. */
export class Deliveries {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onDue: () => void;

  /** @param onDue called when a delivery may be due that was not before */
  constructor(store: Store, clock: Clock, onDue: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** @param endpointId of an endpoint that the caller owns */
  async list(endpointId: string, status: DeliveryRow['status'] | undefined, page: Page) {
    let query = this.#select().where('endpoint_id', '=', endpointId);
    if (status !== undefined) query = query.where('status', '=', status);
    return readPage(query, 'deliveries.id', page);
  }

  /** @throws ApiError `delivery_not_found`, for another organization's delivery too */
  async get(organizationId: string, id: string): Promise<{ delivery: Delivery; attempts: Attempt[] }> {
    const delivery = await this.#select()
      .where('deliveries.id', '=', id)
      .where('deliveries.organization_id', '=', organizationId)
      .executeTakeFirst();
    if (delivery === undefined) throw new ApiError('delivery_not_found');
    const attempts = await this.#store.db
      .selectFrom('delivery_attempts')
      .selectAll()
      .where('delivery_id', '=', id)
      .orderBy('attempt', 'desc')
      .limit(ATTEMPTS_SHOWN)
      .execute();
    return { delivery, attempts: attempts.reverse() };
  }

  /**
   * Sends a failed delivery once more, at once; if that fails it has failed again.
   * @throws ApiError `delivery_not_found`, `delivery_not_failed`
   */
  async retry(organizationId: string, id: string): Promise<void> {
    await this.get(organizationId, id);
    const { numUpdatedRows } = await this.#store.write((transaction) =>
      transaction
        .updateTable('deliveries')
        .set({ status: 'pending', due_at: this.#clock.now() })
        .where('id', '=', id)
        .where('status', '=', 'failed')
        .executeTakeFirstOrThrow(),
    );
    if (numUpdatedRows === 0n) throw new ApiError('delivery_not_failed');
    this.#onDue();
  }

  #select() {
    return this.#store.db
      .selectFrom('deliveries')
      .innerJoin('events', 'events.id', 'deliveries.event_id')
      .selectAll('deliveries')
      .select('events.type');
  }
}
