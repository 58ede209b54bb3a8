import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { newDeliveryId, newEventId, newWebhookId } from '../ids.ts';
import type { Sealer } from '../sealing.ts';
import { forUpdate } from '../store/claims.ts';
import type { WebhookEndpointRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { newSigningSecret } from './signature.ts';
import { targetProblem } from './target-guard.ts';

const ENDPOINTS_MOST = 20;

export interface EndpointOptions {
  store: Store;
  sealer: Sealer;
  clock: Clock;
  /** The operator allows private targets, and plain HTTP to this machine. */
  allowPrivate: boolean;
  /** Called when a delivery may be due that was not before. */
  onDue: () => void;
}

/** As it is stored: the secret sealed, `events` JSON. */
export type WebhookEndpoint = WebhookEndpointRow;

/** What may be changed of an endpoint; `events` holds event types, or `*` alone. */
export interface EndpointChange {
  url?: string | undefined;
  events?: readonly string[] | undefined;
  active?: boolean | undefined;
}

/** Where an organization wants its events sent. Secrets are sealed at rest and shown only when they are made. */
export class WebhookEndpoints {
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /** @throws ApiError `webhook_url_not_allowed`, `webhook_limit_reached` */
  async create(organizationId: string, url: string, events: readonly string[]) {
    const { store, clock } = this.#options;
    const checked = this.#checkedUrl(url);
    const id = newWebhookId();
    const { secret, sealed } = this.#newSecret(id);
    const row: WebhookEndpoint = {
      id,
      organization_id: organizationId,
      url: checked,
      events: JSON.stringify(events),
      secret: sealed,
      active: 1,
      created_at: clock.now(),
    };
    await store.write(async (transaction) => {
      // Held, so that endpoints that are made at the same time are counted one after the other.
      const organization = transaction
        .selectFrom('organizations')
        .select('id')
        .where('id', '=', organizationId);
      await forUpdate(organization).execute();
      const { count } = await transaction
        .selectFrom('webhook_endpoints')
        .select(({ fn }) => fn.countAll().as('count'))
        .where('organization_id', '=', organizationId)
        .executeTakeFirstOrThrow();
      if (Number(count) >= ENDPOINTS_MOST) throw new ApiError('webhook_limit_reached');
      await transaction.insertInto('webhook_endpoints').values(row).execute();
    });
    return { endpoint: row, secret };
  }

  /** All of an organization, oldest first. */
  list(organizationId: string): Promise<WebhookEndpoint[]> {
    return this.#options.store.db
      .selectFrom('webhook_endpoints')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
  }

  /** @throws ApiError `webhook_not_found`, for another organization's endpoint too */
  async get(organizationId: string, id: string): Promise<WebhookEndpoint> {
    const row = await this.#options.store.db
      .selectFrom('webhook_endpoints')
      .selectAll()
      .where('id', '=', id)
      .where('organization_id', '=', organizationId)
      .executeTakeFirst();
    if (row === undefined) throw new ApiError('webhook_not_found');
    return row;
  }

  /**
   * An endpoint that is switched off gets no new events; what was on its way waits until it is on again.
   * @throws ApiError `webhook_not_found`, `webhook_url_not_allowed`
   */
  async update(organizationId: string, id: string, change: EndpointChange): Promise<WebhookEndpoint> {
    const { store, clock, onDue } = this.#options;
    const { active } = await this.get(organizationId, id);
    const set = {
      ...(change.url !== undefined && { url: this.#checkedUrl(change.url) }),
      ...(change.events !== undefined && { events: JSON.stringify(change.events) }),
      ...(change.active !== undefined && { active: change.active ? 1 : 0 }),
    };
    const switchedOn = active === 0 && change.active === true;
    if (Object.keys(set).length > 0)
      await store.write(async (transaction) => {
        await transaction.updateTable('webhook_endpoints').set(set).where('id', '=', id).execute();
        if (!switchedOn) return;
        await transaction
          .updateTable('deliveries')
          .set({ due_at: clock.now() })
          .where('endpoint_id', '=', id)
          .where('status', '=', 'pending')
          .execute();
      });
    if (switchedOn) onDue();
    return this.get(organizationId, id);
  }

  /** Its deliveries go with it. @throws ApiError `webhook_not_found` */
  async delete(organizationId: string, id: string): Promise<void> {
    await this.get(organizationId, id);
    await this.#options.store.write((transaction) =>
      transaction.deleteFrom('webhook_endpoints').where('id', '=', id).execute(),
    );
  }

  /** Attempts from now on are signed with the new secret only. @throws ApiError `webhook_not_found` */
  async rotateSecret(organizationId: string, id: string) {
    const endpoint = await this.get(organizationId, id);
    const { secret, sealed } = this.#newSecret(id);
    await this.#options.store.write((transaction) =>
      transaction.updateTable('webhook_endpoints').set({ secret: sealed }).where('id', '=', id).execute(),
    );
    return { endpoint, secret };
  }

  /**
   * Sends an event of the type `webhook.test`, whatever events were chosen.
   * @returns the id of its delivery
   * @throws ApiError `webhook_not_found`, `webhook_inactive`
   */
  async test(organizationId: string, id: string): Promise<string> {
    const { store, clock, onDue } = this.#options;
    const { active } = await this.get(organizationId, id);
    if (active === 0) throw new ApiError('webhook_inactive');
    const event = {
      id: newEventId(),
      organization_id: organizationId,
      session_id: null,
      created_at: clock.now(),
    };
    const deliveryId = newDeliveryId();
    await store.write(async (transaction) => {
      const { sequence } = await transaction
        .insertInto('events')
        .values({ ...event, type: 'webhook.test', data: JSON.stringify({ webhook_id: id }) })
        .returning('sequence')
        .executeTakeFirstOrThrow();
      await transaction
        .insertInto('deliveries')
        .values({
          ...event,
          id: deliveryId,
          event_id: event.id,
          endpoint_id: id,
          sequence: Number(sequence),
          status: 'pending',
          attempts: 0,
          due_at: event.created_at,
        })
        .execute();
    });
    onDue();
    return deliveryId;
  }

  #newSecret(id: string) {
    const secret = newSigningSecret();
    return { secret, sealed: this.#options.sealer.seal(secret, id) };
  }

  /** The address in its one normal form. */
  #checkedUrl(text: string): string {
    const problem = targetProblem(text, this.#options.allowPrivate);
    if (problem) throw new ApiError('webhook_url_not_allowed', { param: 'url', message: `url: ${problem}` });
    return new URL(text).href;
  }
}
