import type { Transaction } from 'kysely';
import { ApiError } from '../errors.ts';
import { newConnectionId } from '../ids.ts';
import type { Sealer } from '../sealing.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { ConnectionRow, Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { CarrierCredentials, Verdict } from './carriers.ts';
import { lockOrganization } from './organization.ts';

export type { ConnectionRow } from '../store/schema.ts';

export interface ConnectionsOptions {
  store: Store;
  /** Absent where the operator has set no `store.encryption_key`. */
  sealer: Sealer | undefined;
  verify: (credentials: CarrierCredentials) => Promise<Verdict>;
  now: () => number;
}

/** What may be told of a connection besides its credentials; what is absent stays. */
export interface ConnectionSettings {
  name?: string | undefined;
  /** Of a Telnyx account, base64. */
  public_key?: string | null | undefined;
  /** Of the sessions of its calls; null = the organization's. */
  session_defaults?: SessionDefaults | null | undefined;
}

const MOST = 100;
const names = { twilio: 'Twilio', telnyx: 'Telnyx' } as const;

/** The organizations' own accounts at carriers (contract §3). Their credentials go in and are never shown again. */
export class Connections {
  readonly #options: ConnectionsOptions;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /**
   * Adds a connection once its carrier has been asked; the first active one becomes the default.
   * @throws ApiError `encryption_key_missing`, `connection_rejected`, `invalid_request` when there are too many
   */
  async add(
    organizationId: string,
    credentials: CarrierCredentials,
    { name, public_key }: Pick<ConnectionSettings, 'name' | 'public_key'> = {},
  ): Promise<ConnectionRow> {
    const { store, verify, now } = this.#options;
    const sealer = this.#sealer();
    const { status, detail } = await verify(credentials);
    if (status === 'rejected') throw rejected(detail);
    const id = newConnectionId();
    const row: ConnectionRow = {
      id,
      organization_id: organizationId,
      provider: credentials.provider,
      name: name ?? names[credentials.provider],
      credentials: sealer.seal(JSON.stringify(credentials), id),
      account: credentials.provider === 'twilio' ? credentials.account_sid : null,
      status,
      status_detail: detail,
      is_default: 0,
      active: 1,
      created_at: now(),
      session_defaults: null,
      public_key: public_key ?? null,
    };
    return store.write(async (transaction) => {
      await lockOrganization(transaction, organizationId);
      const others = await all(transaction, organizationId);
      if (others.length >= MOST)
        throw new ApiError('invalid_request', { message: `At most ${MOST} connections are kept.` });
      const added = { ...row, is_default: hasDefault(others) ? 0 : 1 };
      await transaction.insertInto('connections').values(added).execute();
      return added;
    });
  }

  /** Oldest first. */
  ofOrganization(organizationId: string): Promise<ConnectionRow[]> {
    return all(this.#options.store.db, organizationId);
  }

  /** @throws ApiError `connection_not_found` */
  async find(organizationId: string, id: string): Promise<ConnectionRow> {
    return found(await this.ofOrganization(organizationId), id);
  }

  /** Asks the carrier again and keeps what it says. @throws ApiError `connection_not_found`, `encryption_key_missing` */
  async verify(organizationId: string, id: string): Promise<ConnectionRow> {
    const row = await this.find(organizationId, id);
    const { status, detail } = await this.#options.verify(this.open(row));
    return this.#change(organizationId, id, () => ({ status, status_detail: detail }));
  }

  /** @throws ApiError `connection_not_found`, `invalid_request` for a key of an account that signs with none */
  update(organizationId: string, id: string, settings: ConnectionSettings): Promise<ConnectionRow> {
    const { name, public_key, session_defaults: defaults } = settings;
    return this.#change(organizationId, id, (row) => {
      if (public_key != null && row.provider !== 'telnyx') {
        const message = 'public_key: only of a Telnyx account. Twilio signs with the auth token.';
        throw new ApiError('invalid_request', { param: 'public_key', message });
      }
      return {
        name: name ?? row.name,
        public_key: public_key === undefined ? row.public_key : public_key,
        session_defaults:
          defaults === undefined ? row.session_defaults : defaults && JSON.stringify(defaults),
      };
    });
  }

  /** The others of the organization are the default no longer. @throws ApiError `connection_not_found`, `connection_inactive` */
  makeDefault(organizationId: string, id: string): Promise<ConnectionRow> {
    return this.#change(organizationId, id, ({ active }) => {
      if (active === 0) throw new ApiError('connection_inactive');
      return { is_default: 1 };
    });
  }

  /**
   * An inactive connection is not the default; no other takes its place by itself, for which carrier is used, and paid,
   * is the organization's choice. One that is activated becomes the default where there is none.
   * @throws ApiError `connection_not_found`
   */
  setActive(organizationId: string, id: string, active: boolean): Promise<ConnectionRow> {
    return this.#change(organizationId, id, (row, rows) => {
      if (!active) return { active: 0, is_default: 0 };
      return { active: 1, is_default: row.is_default === 1 || !hasDefault(rows) ? 1 : 0 };
    });
  }

  /** @throws ApiError `connection_not_found` */
  async remove(organizationId: string, id: string): Promise<void> {
    const row = await this.#options.store.write((transaction) =>
      transaction
        .deleteFrom('connections')
        .where('id', '=', id)
        .where('organization_id', '=', organizationId)
        .returning('id')
        .executeTakeFirst(),
    );
    if (row === undefined) throw new ApiError('connection_not_found');
  }

  #change(
    organizationId: string,
    id: string,
    decide: (row: ConnectionRow, rows: ConnectionRow[]) => Partial<ConnectionRow>,
  ): Promise<ConnectionRow> {
    return this.#options.store.write(async (transaction) => {
      await lockOrganization(transaction, organizationId);
      const rows = await all(transaction, organizationId);
      const row = found(rows, id);
      const change = decide(row, rows);
      if (change.is_default === 1) {
        await transaction
          .updateTable('connections')
          .set({ is_default: 0 })
          .where('organization_id', '=', organizationId)
          .execute();
      }
      await transaction.updateTable('connections').set(change).where('id', '=', id).execute();
      return { ...row, ...change };
    });
  }

  #sealer(): Sealer {
    const { sealer } = this.#options;
    if (sealer === undefined) throw new ApiError('encryption_key_missing');
    return sealer;
  }

  /** @throws ApiError `encryption_key_missing` */
  open({ id, credentials }: ConnectionRow): CarrierCredentials {
    const sealer = this.#sealer();
    try {
      return JSON.parse(sealer.open(credentials, id)) as CarrierCredentials;
    } catch {
      throw new ApiError('encryption_key_missing', {
        message:
          'The credentials of this connection were sealed with another store.encryption_key: set that one again, or add the connection anew.',
      });
    }
  }
}

const all = (db: Transaction<Schema> | Store['db'], organizationId: string): Promise<ConnectionRow[]> =>
  db
    .selectFrom('connections')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .orderBy('id')
    .execute();

const hasDefault = (rows: readonly ConnectionRow[]): boolean => rows.some((row) => row.is_default === 1);

function found(rows: readonly ConnectionRow[], id: string): ConnectionRow {
  const row = rows.find((one) => one.id === id);
  if (row === undefined) throw new ApiError('connection_not_found', { message: 'No such connection.' });
  return row;
}

const rejected = (detail: string | null): ApiError =>
  new ApiError('connection_rejected', {
    message: `The carrier does not accept these credentials. ${detail ?? ''}`.trim(),
  });
