import type { CodecName } from '../config/codecs.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { SrtpPolicy } from '../srtp.ts';
import type { OrganizationRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { Credentials } from './credentials.ts';

/** An entry of a trunk's allowlist. */
export interface AllowedAddress {
  /** An address or a network. */
  cidr: string;
  note: string | null;
}

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
  tlsRequired: boolean;
  /** Of the TLS client certificates that identify it: SHA-256 in lower-case hex, or a name in lower case. */
  tlsCertificates: readonly string[];
  concurrencyLimit: number;
  /** null = the gateway's. */
  mediaTimeoutSeconds: number | null;
  /** What its calls may speak, the most wanted first; null = every codec, in the peer's order. */
  codecs: readonly CodecName[] | null;
  inboundFirst: boolean;
  sessionDefaults: SessionDefaults;
  srtp: SrtpPolicy;
}

/**
 * All trunks, held in memory because every INVITE asks for them. `reload` brings in what has changed in the store, and
 * counts for the next INVITE.
 */
export class Trunks {
  readonly #store: Store;
  #byOrganization = new Map<string, Trunk>();
  #byUsername = new Map<string, Trunk>();
  /** What was last read, to know whether anything has changed. */
  #read = '';
  #version = 0;
  readonly #listeners: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** One at a time, so that what was read last was asked for last; all who wait for the next one share it. */
  reload(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const reading = this.#load();
      this.#running = reading.catch(() => undefined);
      return reading;
    });
    return this.#next;
  }

  /** After a change that is kept: should it not be readable now, `follow` brings it in, and its answer still goes out. */
  reloadSoon(): Promise<void> {
    return this.reload().catch(() => undefined);
  }

  /** Reloads every so often, for what other nodes have changed. @returns what stops it */
  follow(everyMs: number, onError: (error: unknown) => void): () => void {
    const timer = setInterval(() => void this.reload().catch(onError), everyMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  async #load(): Promise<void> {
    const rows = await this.#store.db.selectFrom('organizations').selectAll().orderBy('id').execute();
    const read = JSON.stringify(rows);
    if (read === this.#read) return;
    const trunks = rows.map(readTrunk);
    this.#byOrganization = new Map(trunks.map((trunk) => [trunk.organizationId, trunk]));
    this.#byUsername = new Map(
      trunks.flatMap((trunk) => (trunk.username === null ? [] : [[trunk.username, trunk]])),
    );
    this.#read = read;
    this.#version++;
    for (const listener of this.#listeners) listener();
  }

  /** Called after every change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Rises with every change, so that whoever derives something from the trunks knows when to do it again. */
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

/** An organization that left the configuration file before its entries could have notes still has them as text. */
export const readAllowedIps = ({ sip_allowed_ips }: OrganizationRow): AllowedAddress[] =>
  (JSON.parse(sip_allowed_ips) as (AllowedAddress | string)[]).map((entry) =>
    typeof entry === 'string' ? { cidr: entry, note: null } : entry,
  );

export const readTlsCertificates = ({ sip_tls_certificates }: OrganizationRow): string[] =>
  JSON.parse(sip_tls_certificates) as string[];

/** As they are kept: each once, fingerprints without their colons, all in lower case. */
export const canonicalCertificates = (entries: readonly string[]): string =>
  JSON.stringify([...new Set(entries.map((entry) => entry.replaceAll(':', '').toLowerCase()))]);

export const readCodecs = ({ sip_codecs }: OrganizationRow): CodecName[] | null =>
  sip_codecs === null ? null : (JSON.parse(sip_codecs) as CodecName[]);

/** Of an organization, a number or a connection, as they are kept. */
export const readDefaults = (text: string | null): SessionDefaults | null =>
  text === null ? null : (JSON.parse(text) as SessionDefaults);

function readTrunk(row: OrganizationRow): Trunk {
  return {
    organizationId: row.id,
    active: row.active === 1,
    sipEnabled: row.sip_enabled === 1,
    username: row.sip_username,
    credentials: row.sip_credentials === null ? null : (JSON.parse(row.sip_credentials) as Credentials),
    allowedIps: readAllowedIps(row).map(({ cidr }) => cidr),
    requireDigest: row.sip_require_digest === 1,
    tlsRequired: row.sip_tls_required === 1,
    tlsCertificates: readTlsCertificates(row),
    concurrencyLimit: row.sip_concurrency_limit,
    mediaTimeoutSeconds: row.sip_media_timeout_seconds,
    codecs: readCodecs(row),
    inboundFirst: row.sip_inbound_first === 1,
    sessionDefaults: readDefaults(row.sip_session_defaults) ?? {},
    srtp: row.sip_srtp,
  };
}
