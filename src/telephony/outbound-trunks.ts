import type { OutboundConfig } from '../config/outbound.ts';
import { ApiError } from '../errors.ts';
import type { Sealer } from '../sealing.ts';
import type { OutboundTrunkRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { OutboundPolicy } from './destination.ts';
import { assertManagedByApi, lockOrganization } from './organization.ts';

export type { OutboundTrunkRow } from '../store/schema.ts';

export interface OutboundTrunksOptions {
  store: Store;
  /** Absent where the operator has set no `store.encryption_key`. */
  sealer: Sealer | undefined;
}

/** The whole of the settings; of the password, absent means: the one that is there. */
export type NewOutbound = Omit<OutboundConfig, 'password'> & { password?: string | null | undefined };

/** Where the organizations may call, and their trunks for phone numbers. Passwords go in and are never shown again. */
export class OutboundTrunks {
  readonly #options: OutboundTrunksOptions;

  constructor(options: OutboundTrunksOptions) {
    this.#options = options;
  }

  /** @returns the settings as they are, and who owns them; where nothing was ever set, nothing is allowed */
  async find(organizationId: string): Promise<{ row: OutboundTrunkRow; managedBy: 'api' | 'config' }> {
    const { db } = this.#options.store;
    const { managed_by } = await db
      .selectFrom('organizations')
      .select('managed_by')
      .where('id', '=', organizationId)
      .executeTakeFirstOrThrow();
    return { row: (await this.#read(organizationId)) ?? nothing(organizationId), managedBy: managed_by };
  }

  /**
   * What a call out is judged by.
   * @throws ApiError `encryption_key_missing` when the password cannot be opened
   */
  async policyOf(organizationId: string): Promise<OutboundPolicy> {
    const row = await this.#read(organizationId);
    if (row === undefined || row.enabled === 0)
      return { trunk: null, callerId: null, allowedNumbers: [], allowedDomains: [] };
    const { host, port, transport } = row;
    return {
      trunk: host === null ? null : { host, port, transport, credentials: this.#credentials(row) },
      callerId: row.caller_id,
      allowedNumbers: JSON.parse(row.allowed_numbers) as string[],
      allowedDomains: JSON.parse(row.allowed_domains) as string[],
    };
  }

  /**
   * Replaces the settings. A password that is not given again is kept only for the same host and username: it is not sent
   * to another peer, or for another account, by somebody who does not know it.
   * @throws ApiError `managed_by_config`, `encryption_key_missing`, `invalid_request`
   */
  async replace(organizationId: string, { password, ...wanted }: NewOutbound): Promise<OutboundTrunkRow> {
    const { store, sealer } = this.#options;
    const given = password ?? undefined;
    const made = outboundRow(organizationId, { ...wanted, password: given }, sealer);
    return store.write(async (transaction) => {
      assertManagedByApi(await lockOrganization(transaction, organizationId));
      const before = await transaction
        .selectFrom('outbound_trunks')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .executeTakeFirst();
      const same = before?.host === made.host && before.username === made.username;
      const kept = password === undefined && same ? before.password : null;
      const row = { ...made, password: made.password ?? kept };
      assertFitting(row);
      await transaction.deleteFrom('outbound_trunks').where('organization_id', '=', organizationId).execute();
      await transaction.insertInto('outbound_trunks').values(row).execute();
      return row;
    });
  }

  /** From then on nothing is allowed. @throws ApiError `managed_by_config` */
  async remove(organizationId: string): Promise<void> {
    await this.#options.store.write(async (transaction) => {
      assertManagedByApi(await lockOrganization(transaction, organizationId));
      await transaction.deleteFrom('outbound_trunks').where('organization_id', '=', organizationId).execute();
    });
  }

  #read(organizationId: string): Promise<OutboundTrunkRow | undefined> {
    return this.#options.store.db
      .selectFrom('outbound_trunks')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .executeTakeFirst();
  }

  #credentials({ organization_id, username, password }: OutboundTrunkRow) {
    if (username === null || password === null) return null;
    try {
      if (this.#options.sealer === undefined) throw new Error('no key');
      return { username, password: this.#options.sealer.open(password, sealingContext(organization_id)) };
    } catch {
      const message =
        'The password of the outbound trunk was sealed with another store.encryption_key: set that one again, or the password anew.';
      throw new ApiError('encryption_key_missing', { message });
    }
  }
}

/** @throws ApiError `encryption_key_missing` when there is a password and nothing to seal it with */
export function outboundRow(
  organizationId: string,
  settings: OutboundConfig,
  sealer: Sealer | undefined,
): OutboundTrunkRow {
  const { password } = settings;
  if (password !== undefined && sealer === undefined) throw new ApiError('encryption_key_missing');
  return {
    organization_id: organizationId,
    enabled: settings.enabled ? 1 : 0,
    host: settings.host ?? null,
    port: settings.port ?? null,
    transport: settings.transport,
    username: settings.username ?? null,
    password:
      password === undefined ? null : (sealer?.seal(password, sealingContext(organizationId)) ?? null),
    caller_id: settings.caller_id ?? null,
    allowed_numbers: JSON.stringify(settings.allowed_numbers),
    allowed_domains: JSON.stringify(settings.allowed_domains),
  };
}

/** @throws ApiError `invalid_request` */
function assertFitting({ host, port, username, password }: OutboundTrunkRow): void {
  const wrong = (param: string, words: string) =>
    new ApiError('invalid_request', { param, message: `${param}: ${words}` });
  if (host === null && (port !== null || username !== null))
    throw wrong('host', 'must be there where a port or a username is');
  if (username !== null && password === null)
    throw wrong('password', 'must be given with a username, and again whenever host or username change');
  if (username === null && password !== null) throw wrong('username', 'must be there where a password is');
}

const sealingContext = (organizationId: string): string => `outbound_trunk:${organizationId}`;

const nothing = (organizationId: string): OutboundTrunkRow => ({
  organization_id: organizationId,
  enabled: 0,
  ...{ host: null, port: null, transport: 'udp', username: null, password: null, caller_id: null },
  ...{ allowed_numbers: '[]', allowed_domains: '[]' },
});
