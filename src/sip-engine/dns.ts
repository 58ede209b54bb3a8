import { lookup, Resolver as SystemResolver } from 'node:dns/promises';

export type Family = 4 | 6;

/** A server of a service (RFC 2782). */
export interface SrvRecord {
  name: string;
  port: number;
  priority: number;
  weight: number;
}

/** A rule of RFC 3403, with the fields that RFC 3263 looks at. */
export interface NaptrRecord {
  flags: string;
  service: string;
  replacement: string;
  order: number;
  preference: number;
}

export interface AddressRecord {
  address: string;
  /** Seconds. */
  ttl: number;
}

/** What resolution asks of the DNS. An empty list: there is none. A rejection: nobody could tell. */
export interface Dns {
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  addresses(name: string, family: Family): Promise<readonly AddressRecord[]>;
  /** As programs of this machine do: the hosts file, search domains, then the DNS. */
  lookup(name: string): Promise<readonly string[]>;
}

/** A server that does not answer is asked again once, after this, and given up after about three times that. */
const TIMEOUT_MS = 1_000;
const TRIES = 2;

/**
 * The DNS by node's resolver, which reads no hosts file.
 * @param servers addresses, with `:port` where it is not 53; empty: those of the system
 */
export function systemDns(servers: readonly string[]): Dns {
  const resolver = new SystemResolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  return {
    naptr: (name) => orNone(resolver.resolveNaptr(name)),
    srv: (name) => orNone(resolver.resolveSrv(name)),
    addresses: (name, family) =>
      orNone(family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true })),
    lookup: async (name) => {
      const found = await orNone(lookup(name, { all: true, order: 'verbatim' }));
      return found.map(({ address }) => address);
    },
  };
}

/** What these mean: the name or the record does not exist, or is no name at all. */
const none: ReadonlySet<string | undefined> = new Set(['ENODATA', 'ENOTFOUND', 'EBADNAME']);

async function orNone<Item>(answer: Promise<Item[]>): Promise<Item[]> {
  try {
    return await answer;
  } catch (error) {
    if (none.has((error as NodeJS.ErrnoException).code)) return [];
    throw error;
  }
}
