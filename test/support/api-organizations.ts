import { openStore, type Store } from '../../src/store/store.ts';
import { environmentOf, hashApiKey } from '../../src/telephony/api-keys.ts';

/** Organizations that manage their settings by the API, as a portal makes them: with keys, and SIP not yet set up. */
export async function addApiOrganizations(store: Store, keys: Record<string, string>): Promise<void> {
  await store.write(async (transaction) => {
    for (const [id, key] of Object.entries(keys)) {
      await transaction
        .insertInto('organizations')
        .values({
          ...{ id, name: id, active: 1, managed_by: 'api', sip_enabled: 0, sip_username: null },
          ...{ sip_credentials: null, sip_allowed_ips: '[]', sip_require_digest: 0 },
          ...{
            sip_concurrency_limit: 100,
            sip_media_timeout_seconds: null,
            sip_codecs: null,
            sip_inbound_first: 0,
          },
          ...{ sip_tls_required: 0, sip_tls_certificates: '[]', sip_session_defaults: null },
          sip_srtp: 'off',
        })
        .execute();
      await transaction
        .insertInto('api_keys')
        .values({
          ...{ id: `key_${id}`, organization_id: id, hash: hashApiKey(key), managed_by: 'api' },
          environment: environmentOf(key),
        })
        .execute();
    }
  });
}

/** A store in memory with the organizations `acme` and `other`. */
export async function openTelephonyStore(): Promise<Store> {
  const store = await openStore('sqlite::memory:', 0);
  await addApiOrganizations(store, { acme: 'sk_test_acme_0123456789', other: 'sk_test_other_0123456789' });
  return store;
}
