import { randomBytes } from 'node:crypto';
import type { CodecName } from '../config/codecs.ts';
import { ApiError } from '../errors.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { SrtpPolicy } from '../srtp.ts';
import type { OrganizationRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { parseNetwork } from './cidr.ts';
import { makeCredentials } from './credentials.ts';
import { assertManagedByApi, lockOrganization } from './organization.ts';
import { type AllowedAddress, canonicalCertificates, readAllowedIps, type Trunks } from './trunks.ts';

export type { OrganizationRow } from '../store/schema.ts';

export interface SipSettingsOptions {
  store: Store;
  trunks: Trunks;
  /** Of digest authentication. */
  realm: string;
}

/** What an organization may change of its trunk; what is absent stays. */
export interface SipChange {
  enabled?: boolean | undefined;
  require_digest?: boolean | undefined;
  tls_required?: boolean | undefined;
  /** Replaces the list. */
  tls_certificates?: readonly string[] | undefined;
  concurrency_limit?: number | undefined;
  /** null = the gateway's. */
  media_timeout_seconds?: number | null | undefined;
  /** The most wanted first; null = every codec, in the peer's order. */
  codecs?: readonly CodecName[] | null | undefined;
  inbound_first?: boolean | undefined;
  session_defaults?: SessionDefaults | null | undefined;
  srtp?: SrtpPolicy | undefined;
}

/** A trunk with a new password, which is shown this once and then known to nobody. */
export interface NewCredentials {
  row: OrganizationRow;
  /** null when the trunk kept the one it had. */
  password: string | null;
}

const MOST_ALLOWED = 1000;
/** Wider networks need a word: they are a slip more often than an intention. */
const WIDEST = { 4: 8, 6: 16 } as const;

/** The settings of the organizations' trunks. Every change counts for the next INVITE on this node. */
export class SipSettings {
  readonly #options: SipSettingsOptions;

  constructor(options: SipSettingsOptions) {
    this.#options = options;
  }

  find(organizationId: string): Promise<OrganizationRow> {
    return this.#options.store.db
      .selectFrom('organizations')
      .selectAll()
      .where('id', '=', organizationId)
      .executeTakeFirstOrThrow();
  }

  /** @throws ApiError `managed_by_config` */
  update(organizationId: string, change: SipChange): Promise<OrganizationRow> {
    const { session_defaults: defaults, tls_certificates: certificates, codecs } = change;
    return this.#change(organizationId, () => ({
      ...defined('sip_enabled', flag(change.enabled)),
      ...defined('sip_require_digest', flag(change.require_digest)),
      ...defined('sip_tls_required', flag(change.tls_required)),
      ...defined('sip_tls_certificates', certificates && canonicalCertificates(certificates)),
      ...defined('sip_concurrency_limit', change.concurrency_limit),
      ...defined('sip_media_timeout_seconds', change.media_timeout_seconds),
      ...defined('sip_codecs', codecs ? JSON.stringify(codecs) : codecs),
      ...defined('sip_inbound_first', flag(change.inbound_first)),
      ...defined('sip_session_defaults', defaults ? JSON.stringify(defaults) : defaults),
      ...defined('sip_srtp', change.srtp),
    }));
  }

  /** Switches SIP on; a trunk without credentials gets a username and a password. @throws ApiError `managed_by_config` */
  async enable(organizationId: string): Promise<NewCredentials> {
    let password: string | null = null;
    const row = await this.#change(organizationId, (current) => {
      if (current.sip_credentials !== null) return { sip_enabled: 1 };
      const made = this.#newCredentials(current);
      password = made.password;
      return { sip_enabled: 1, ...made.change };
    });
    return { row, password };
  }

  /** A new password; the old one is refused from the next INVITE on. @throws ApiError `managed_by_config` */
  async regenerate(organizationId: string): Promise<NewCredentials> {
    let password: string | null = null;
    const row = await this.#change(organizationId, (current) => {
      const made = this.#newCredentials(current);
      password = made.password;
      return made.change;
    });
    return { row, password };
  }

  /**
   * Puts a network on the allowlist; one that stands there already gets the new note.
   * @throws ApiError `managed_by_config`, `invalid_request`, `confirmation_required`
   */
  async allow(
    organizationId: string,
    wanted: { cidr: string; note: string | null; confirmed: boolean },
  ): Promise<AllowedAddress> {
    const network = parseNetwork(wanted.cidr);
    if (network === undefined) {
      const message =
        'cidr: must be an address or a network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32';
      throw new ApiError('invalid_request', { param: 'cidr', message });
    }
    const entry = { cidr: network.cidr, note: wanted.note };
    await this.#changeAllowed(organizationId, (entries) => {
      if (network.prefix < WIDEST[network.family] && !wanted.confirmed)
        throw new ApiError('confirmation_required', { param: 'confirm' });
      const others = entries.filter(({ cidr }) => cidr !== entry.cidr);
      if (others.length >= MOST_ALLOWED) {
        const message = `An allowlist has at most ${MOST_ALLOWED} entries.`;
        throw new ApiError('invalid_request', { param: 'cidr', message });
      }
      return [...others, entry];
    });
    return entry;
  }

  /** @throws ApiError `managed_by_config`, `allowed_ip_not_found` */
  async disallow(organizationId: string, cidr: string): Promise<void> {
    await this.#changeAllowed(organizationId, (entries) => {
      const canonical = parseNetwork(cidr)?.cidr;
      const others = entries.filter((entry) => entry.cidr !== canonical);
      if (others.length === entries.length) throw new ApiError('allowed_ip_not_found', { param: 'cidr' });
      return others;
    });
  }

  #changeAllowed(
    organizationId: string,
    decide: (entries: AllowedAddress[]) => AllowedAddress[],
  ): Promise<OrganizationRow> {
    return this.#change(organizationId, (current) => ({
      sip_allowed_ips: JSON.stringify(decide(readAllowedIps(current))),
    }));
  }

  async #change(
    organizationId: string,
    decide: (current: OrganizationRow) => Partial<OrganizationRow>,
  ): Promise<OrganizationRow> {
    const { store, trunks } = this.#options;
    const row = await store.write(async (transaction) => {
      const current = await lockOrganization(transaction, organizationId);
      assertManagedByApi(current);
      const change = decide(current);
      if (Object.keys(change).length === 0) return current;
      await transaction.updateTable('organizations').set(change).where('id', '=', organizationId).execute();
      return { ...current, ...change };
    });
    await trunks.reloadSoon();
    return row;
  }

  /** 80 bits for the name, which has to be unique; 144 for the password. */
  #newCredentials(current: OrganizationRow): { password: string; change: Partial<OrganizationRow> } {
    const username = current.sip_username ?? `kg-${randomBytes(10).toString('hex')}`;
    const password = randomBytes(18).toString('base64url');
    const credentials = makeCredentials(username, this.#options.realm, password);
    return {
      password,
      change: { sip_username: username, sip_credentials: JSON.stringify(credentials) },
    };
  }
}

const flag = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);

function defined<K extends keyof OrganizationRow>(
  key: K,
  value: OrganizationRow[K] | undefined,
): Partial<OrganizationRow> {
  return value === undefined ? {} : ({ [key]: value } as Partial<OrganizationRow>);
}
