import type { Transaction } from 'kysely';
import type { OrganizationConfig } from '../config/config.ts';
import { newKeyId } from '../ids.ts';
import type { Sealer } from '../sealing.ts';
import { oneNodeAtATime } from '../store/claims.ts';
import type { OrganizationRow, Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { environmentOf, hashApiKey } from './api-keys.ts';
import { type Credentials, makeCredentials } from './credentials.ts';
import { outboundRow } from './outbound-trunks.ts';
import { type AllowedAddress, canonicalCertificates } from './trunks.ts';

/**
 * Brings the organizations of the configuration file into the store at start (decisions §7): they are owned by the
 * file, and one that is no longer named there is disabled, not deleted.
 * @param sealer for the passwords of outbound trunks; the configuration sees to it that there is one where there are any
 * @throws Error when credentials that the file does not own were made for another realm
 */
export function importOrganizations(
  store: Store,
  wanted: readonly OrganizationConfig[],
  realm: string,
  sealer?: Sealer,
): Promise<void> {
  return store.write(async (transaction) => {
    await oneNodeAtATime(transaction);
    await disableRemoved(transaction, wanted);
    // Two organizations may have swapped their usernames in the file.
    await transaction
      .updateTable('organizations')
      .set({ sip_username: null })
      .where('managed_by', '=', 'config')
      .execute();
    for (const organization of wanted) {
      await upsertOrganization(transaction, organization, realm);
      await replaceApiKeys(transaction, organization);
      await replaceOutboundTrunk(transaction, organization, sealer);
    }
    await checkRealm(transaction, realm);
  });
}

async function disableRemoved(
  transaction: Transaction<Schema>,
  wanted: readonly OrganizationConfig[],
): Promise<void> {
  const named = wanted.map((organization) => organization.id);
  const owned = await transaction
    .selectFrom('organizations')
    .select('id')
    .where('managed_by', '=', 'config')
    .execute();
  for (const { id } of owned.filter((row) => !named.includes(row.id))) {
    await transaction
      .updateTable('organizations')
      .set({ active: 0, sip_enabled: 0, sip_username: null, sip_credentials: null })
      .where('id', '=', id)
      .execute();
    await transaction.deleteFrom('outbound_trunks').where('organization_id', '=', id).execute();
  }
}

async function upsertOrganization(
  transaction: Transaction<Schema>,
  { id, name, sip }: OrganizationConfig,
  realm: string,
): Promise<void> {
  const { username, password } = sip;
  const credentials = username && password ? makeCredentials(username, realm, password) : null;
  const row: OrganizationRow = {
    id,
    name,
    active: 1,
    managed_by: 'config',
    sip_enabled: sip.enabled ? 1 : 0,
    sip_username: username ?? null,
    sip_credentials: credentials && JSON.stringify(credentials),
    sip_allowed_ips: JSON.stringify(sip.allowed_ips.map((cidr): AllowedAddress => ({ cidr, note: null }))),
    sip_require_digest: sip.require_digest ? 1 : 0,
    sip_tls_required: sip.tls_required ? 1 : 0,
    sip_tls_certificates: canonicalCertificates(sip.tls_certificates),
    sip_concurrency_limit: sip.concurrency_limit,
    sip_media_timeout_seconds: sip.media_timeout_seconds ?? null,
    sip_codecs: sip.codecs ? JSON.stringify(sip.codecs) : null,
    sip_inbound_first: sip.inbound_first ? 1 : 0,
    sip_session_defaults: sip.session_defaults ? JSON.stringify(sip.session_defaults) : null,
    sip_srtp: sip.srtp,
  };
  const { id: _, ...changes } = row;
  await transaction
    .insertInto('organizations')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changes))
    .execute();
}

async function replaceApiKeys(
  transaction: Transaction<Schema>,
  { id, api_keys }: OrganizationConfig,
): Promise<void> {
  await transaction
    .deleteFrom('api_keys')
    .where('organization_id', '=', id)
    .where('managed_by', '=', 'config')
    .execute();
  for (const { key, scopes } of api_keys) {
    await transaction
      .insertInto('api_keys')
      .values({
        id: newKeyId(),
        organization_id: id,
        hash: hashApiKey(key),
        environment: environmentOf(key),
        managed_by: 'config',
        scopes: JSON.stringify(scopes),
      })
      .execute();
  }
}

async function replaceOutboundTrunk(
  transaction: Transaction<Schema>,
  { id, sip: { outbound } }: OrganizationConfig,
  sealer: Sealer | undefined,
): Promise<void> {
  await transaction.deleteFrom('outbound_trunks').where('organization_id', '=', id).execute();
  if (outbound === undefined) return;
  await transaction
    .insertInto('outbound_trunks')
    .values(outboundRow(id, outbound, sealer))
    .execute();
}

async function checkRealm(transaction: Transaction<Schema>, realm: string): Promise<void> {
  const rows = await transaction
    .selectFrom('organizations')
    .select(['id', 'sip_credentials'])
    .where('sip_credentials', 'is not', null)
    .execute();
  for (const { id, sip_credentials } of rows) {
    const { realm: kept } = JSON.parse(sip_credentials as string) as Credentials;
    if (kept === realm) continue;
    throw new Error(
      `the SIP credentials of organization ${id} were made for the realm "${kept}", but sip.realm is now "${realm}": ` +
        'set sip.realm back, or make new credentials for it',
    );
  }
}
