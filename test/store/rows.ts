import type { SessionId } from '../../src/ids.ts';
import { newDeliveryId, newEventId, newSessionId } from '../../src/ids.ts';
import type { Store } from '../../src/store/store.ts';

/** Rows for tests of the store. */

export async function addOrganization(store: Store, id = 'acme'): Promise<void> {
  await store.write((transaction) =>
    transaction
      .insertInto('organizations')
      .values({
        id,
        name: id,
        active: 1,
        managed_by: 'config',
        sip_enabled: 1,
        sip_username: null,
        sip_credentials: null,
        sip_allowed_ips: '[]',
        sip_require_digest: 0,
        sip_tls_required: 0,
        sip_tls_certificates: '[]',
        sip_concurrency_limit: 10,
        sip_media_timeout_seconds: null,
        sip_codecs: null,
        sip_inbound_first: 0,
        sip_session_defaults: null,
        sip_srtp: 'off',
      })
      .execute(),
  );
}

export async function addEndpoint(store: Store, id = 'wh_1', organization = 'acme'): Promise<void> {
  await store.write((transaction) =>
    transaction
      .insertInto('webhook_endpoints')
      .values({
        id,
        organization_id: organization,
        url: 'https://example.com/',
        events: '["*"]',
        secret: 'sealed',
        active: 1,
        created_at: 1000,
      })
      .execute(),
  );
}

/** An event and its delivery. @returns the event's sequence */
export function addDelivery(store: Store, session: SessionId = newSessionId()): Promise<number> {
  return store.write(async (transaction) => {
    const event = {
      id: newEventId(),
      organization_id: 'acme',
      session_id: session,
      type: 'test',
      data: '{}',
      created_at: 1_800_000_000_000,
    };
    const { sequence } = await transaction
      .insertInto('events')
      .values(event)
      .returning('sequence')
      .executeTakeFirstOrThrow();
    await transaction
      .insertInto('deliveries')
      .values({
        id: newDeliveryId(),
        event_id: event.id,
        endpoint_id: 'wh_1',
        organization_id: 'acme',
        session_id: session,
        sequence,
        status: 'pending',
        attempts: 0,
        due_at: 1_800_000_000_000,
        created_at: 1_800_000_000_000,
      })
      .execute();
    return sequence;
  });
}
