import type { OrganizationRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { Credentials } from './credentials.ts';

/** An organization's SIP access as admission needs it (decisions §1, §3). */
export interface Trunk {
  organizationId: string;
  active: boolean;
  sipEnabled: boolean;
  username: string | null;
  credentials: Credentials | null;
  /** Addresses and networks; empty = no allowlist. */
  allowedIps: readonly string[];
  requireDigest: boolean;
  concurrencyLimit: number;
}

/**
 * All trunks, held in memory because every INVITE asks for them. `reload` brings in what has changed in the store, and
 * counts for the next INVITE.
 */
export class Trunks {
  readonly #store: Store;
  #byOrganization = new Map<string, Trunk>();
  #byUsername = new Map<string, Trunk>();
  #version = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async reload(): Promise<void> {
    const rows = await this.#store.db.selectFrom('organizations').selectAll().execute();
    const trunks = rows.map(readTrunk);
    this.#byOrganization = new Map(trunks.map((trunk) => [trunk.organizationId, trunk]));
    this.#byUsername = new Map(
      trunks.flatMap((trunk) => (trunk.username === null ? [] : [[trunk.username, trunk]])),
    );
    this.#version++;
  }

  /** Rises with every reload, so that whoever derives something from the trunks knows when to do it again. */
  get version(): number {
    return this.#version;
  }

  all(): Iterable<Trunk> {
    return this.#byOrganization.values();
  }

  ofOrganization(id: string): Trunk | undefined {
    return this.#byOrganization.get(id);
  }

  ofUsername(username: string): Trunk | undefined {
    return this.#byUsername.get(username);
  }
}

function readTrunk(row: OrganizationRow): Trunk {
  return {
    organizationId: row.id,
    active: row.active === 1,
    sipEnabled: row.sip_enabled === 1,
    username: row.sip_username,
    credentials: row.sip_credentials === null ? null : (JSON.parse(row.sip_credentials) as Credentials),
    allowedIps: JSON.parse(row.sip_allowed_ips) as string[],
    requireDigest: row.sip_require_digest === 1,
    concurrencyLimit: row.sip_concurrency_limit,
  };
}
