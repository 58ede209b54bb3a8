import { randomBytes } from 'node:crypto';
import { ApiError } from '../errors.ts';
import { newKeyId } from '../ids.ts';
import type { OrganizationRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { hashApiKey, type Scope } from './api-keys.ts';
import { assertManagedByApi } from './organization.ts';

export type { OrganizationRow } from '../store/schema.ts';

export interface NewApiKey {
  environment: 'live' | 'test';
  scopes: readonly (Scope | '*')[];
}

/** The organizations of this gateway, for the operator: those of the configuration file, and those made here. */
export class Organizations {
  readonly #store: Store;
  /** Called after a change, so that it counts for the next INVITE. */
  readonly #changed: () => Promise<void>;

  constructor(store: Store, changed: () => Promise<void>) {
    this.#store = store;
    this.#changed = changed;
  }

  list(): Promise<OrganizationRow[]> {
    return this.#store.db.selectFrom('organizations').selectAll().orderBy('id').execute();
  }

  /** Makes an organization, with SIP off until it enables it. @throws ApiError `organization_exists` */
  async create(id: string, name: string): Promise<OrganizationRow> {
    const row: OrganizationRow = {
      id,
      name,
      active: 1,
      managed_by: 'api',
      sip_enabled: 0,
      sip_username: null,
      sip_credentials: null,
      sip_allowed_ips: '[]',
      sip_require_digest: 0,
      sip_tls_required: 0,
      sip_tls_certificates: '[]',
      sip_concurrency_limit: 100,
      sip_media_timeout_seconds: null,
      sip_codecs: null,
      sip_inbound_first: 0,
      sip_session_defaults: null,
      sip_srtp: 'off',
    };
    const made = await this.#store.write((transaction) =>
      transaction
        .insertInto('organizations')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst(),
    );
    if (made === undefined) throw new ApiError('organization_exists', { param: 'id' });
    await this.#changed();
    return row;
  }

  /** @throws ApiError `organization_not_found`, `managed_by_config` */
  async setActive(id: string, active: boolean): Promise<OrganizationRow> {
    await this.#ownedByApi(id);
    const row = await this.#store.write((transaction) =>
      transaction
        .updateTable('organizations')
        .set({ active: active ? 1 : 0 })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow(),
    );
    await this.#changed();
    return row;
  }

  /**
   * Makes a key; only its hash is kept. @returns the key, to be shown this once
   * @throws ApiError `organization_not_found`, `managed_by_config`
   */
  async addKey(id: string, { environment, scopes }: NewApiKey): Promise<{ id: string; key: string }> {
    await this.#ownedByApi(id);
    const key = `sk_${environment}_${randomBytes(24).toString('base64url')}`;
    const keyId = newKeyId();
    await this.#store.write((transaction) =>
      transaction
        .insertInto('api_keys')
        .values({
          id: keyId,
          organization_id: id,
          hash: hashApiKey(key),
          environment,
          managed_by: 'api',
          scopes: JSON.stringify(scopes),
        })
        .execute(),
    );
    return { id: keyId, key };
  }

  /** @throws ApiError `not_found` when the organization has no such key that was made here */
  async revokeKey(id: string, keyId: string): Promise<void> {
    const gone = await this.#store.write((transaction) =>
      transaction
        .deleteFrom('api_keys')
        .where('organization_id', '=', id)
        .where('id', '=', keyId)
        .where('managed_by', '=', 'api')
        .returning('id')
        .executeTakeFirst(),
    );
    if (gone === undefined) throw new ApiError('not_found');
  }

  async #ownedByApi(id: string): Promise<void> {
    const row = await this.#store.db
      .selectFrom('organizations')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw new ApiError('organization_not_found');
    assertManagedByApi(row);
  }
}
