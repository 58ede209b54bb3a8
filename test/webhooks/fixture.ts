import { ApiError } from '../../src/errors.ts';
import { Sealer } from '../../src/sealing.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { Deliverer } from '../../src/webhooks/deliverer.ts';
import { Deliveries } from '../../src/webhooks/deliveries.ts';
import { WebhookEndpoints } from '../../src/webhooks/endpoints.ts';
import { Sender, type SenderOptions } from '../../src/webhooks/sender.ts';

/** Wall clock of a test, which moves only when told to. */
export class SetClock {
  at = Date.UTC(2026, 0, 1);
  now = () => this.at;
  monotonic = () => this.at;
}

/** The room on a store, with a clock of the test's and without polls: `settle` looks and waits until nothing is due. */
export class WebhookRoom {
  readonly clock: SetClock;
  readonly store: Store;
  readonly sealer = new Sealer('test');
  readonly outcomes: string[] = [];
  readonly deliverer: Deliverer;
  readonly endpoints: WebhookEndpoints;
  readonly deliveries: Deliveries;
  readonly sessions: Sessions;

  private constructor(store: Store, clock: SetClock, sender: Partial<SenderOptions>) {
    this.store = store;
    this.clock = clock;
    const metrics = {
      webhook_attempts_total: { inc: ({ outcome }: { outcome: string }) => this.outcomes.push(outcome) },
    } as never;
    this.deliverer = new Deliverer({
      ...{
        store,
        clock,
        metrics,
        sealer: this.sealer,
        log: createLog('silent'),
        pollMs: 0,
        random: () => 0.5,
      },
      sender: new Sender({ clock, allowPrivate: true, ...sender }),
    });
    const onDue = () => this.deliverer.wake();
    this.endpoints = new WebhookEndpoints({ store, sealer: this.sealer, clock, allowPrivate: true, onDue });
    this.deliveries = new Deliveries(store, clock, onDue);
    this.sessions = new Sessions(store, clock, 'sip.kallglot.com');
    this.sessions.onEvent(onDue);
  }

  static async open(
    url = 'sqlite::memory:',
    { clock = new SetClock(), ...sender }: Partial<SenderOptions> & { clock?: SetClock } = {},
  ): Promise<WebhookRoom> {
    const store = await openStore(url, 0);
    const room = new WebhookRoom(store, clock, sender);
    await room.organization('acme');
    await room.organization('other');
    return room;
  }

  async organization(id: string): Promise<void> {
    const row = {
      id,
      name: id,
      active: 1,
      managed_by: 'api' as const,
      sip_enabled: 1,
      sip_allowed_ips: '[]',
    };
    const more = {
      sip_username: null,
      sip_credentials: null,
      sip_require_digest: 0,
      sip_tls_required: 0,
      sip_tls_certificates: '[]',
      sip_concurrency_limit: 9,
    };
    const last = {
      sip_media_timeout_seconds: null,
      sip_codecs: null,
      sip_inbound_first: 0,
      sip_session_defaults: null,
    };
    const policy = { sip_srtp: 'off' as const };
    await this.store.db
      .insertInto('organizations')
      .values({ ...row, ...more, ...last, ...policy })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }

  /** A session, and with it a `session.created`. */
  session(organizationId = 'acme') {
    const nothing = {
      routing: null,
      metadata: null,
      aiAgent: null,
      sourceLanguage: null,
      targetLanguage: null,
    };
    const wanted = { organizationId, mode: 'bidirectional_translation' as const, ...nothing };
    return this.sessions.create(wanted, { provider: 'sip' } as never);
  }

  async settle(afterMs = 0): Promise<void> {
    this.clock.at += afterMs;
    this.deliverer.wake();
    await this.deliverer.settled();
  }

  /** The deliveries of an endpoint, oldest first. */
  rows(endpointId: string) {
    const query = this.store.db.selectFrom('deliveries').selectAll().where('endpoint_id', '=', endpointId);
    return query.orderBy('sequence').execute();
  }

  async close(): Promise<void> {
    await this.deliverer.close();
    await this.store.close();
  }
}

/** The code that a call is refused with. */
export const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof ApiError ? error.code : error),
  );
