import { isIP } from 'node:net';
import type { Dns, Family, NaptrRecord } from './dns.ts';
import type { Listening } from './resolve.ts';
import { inTryingOrder } from './srv-order.ts';
import { defaultPort, type Hop, type TransportName } from './transport.ts';

/** A host name that is to be reached. */
export interface NamedTarget {
  host: string;
  port: number | undefined;
  /** Those that may be used, the preferred one first; at least one. */
  transports: readonly TransportName[];
  /** The URI says which transport; the DNS is not asked. */
  fixed: boolean;
}

/** A host and port that offer a transport. */
interface Server {
  transport: TransportName;
  name: string;
  port: number;
}

/** What is looked up and tried for one name at most. */
const MAX_SERVERS = 8;
const MAX_ADDRESSES = 8;
const MAX_HOPS = 16;

/**
 * The hops of a name in the order to try them (RFC 3263 §4.1, §4.2): NAPTR tells the transport, SRV the servers, A and AAAA
 * their addresses, IPv4 first: IPv6 that is set up by half is more common than SIP servers without IPv4, and costs a
 * timeout for each call. A name with a port, or without a dot (machines of a container network), has addresses only.
 * NAPTR and SRV that cannot be had count as absent: not every resolver on the way knows them.
 * @returns none when the name has no address
 * @throws what `dns` rejects with, when it leaves nothing to be tried
 */
export async function hopsOfName(
  target: NamedTarget,
  listening: Listening,
  dns: Dns,
  random: () => number,
): Promise<Hop[]> {
  const { host, port } = target;
  const services = port === undefined && host.includes('.') ? await servicesOf(target, dns) : [];
  const servers = (await serversOf(services, dns, random)) ?? [hostItself(target)];
  const found = await Promise.allSettled(
    servers.slice(0, MAX_SERVERS).map(async (server) => {
      const families = listening.get(server.transport) ?? new Set();
      const addresses = await addressesOf(server.name, families, dns);
      return addresses.map((address): Hop => ({ ...server, address, name: host }));
    }),
  );
  return onceEach(whatCame(found)).slice(0, MAX_HOPS);
}

/** The host of the URI, for want of SRV records. */
function hostItself({ host, port, transports }: NamedTarget): Server {
  const transport = transports[0] as TransportName;
  return { transport, name: host, port: port ?? defaultPort(transport) };
}

const naptrServices: ReadonlyMap<string, TransportName> = new Map([
  ['SIP+D2U', 'udp'],
  ['SIP+D2T', 'tcp'],
  ['SIPS+D2T', 'tls'],
]);

const srvPrefixes: Readonly<Record<TransportName, string>> = {
  udp: '_sip._udp',
  tcp: '_sip._tcp',
  tls: '_sips._tcp',
};

/** The transports that a name offers, and the name of the SRV records of each. */
async function servicesOf(
  { host, transports, fixed }: NamedTarget,
  dns: Dns,
): Promise<Omit<Server, 'port'>[]> {
  const rules = fixed ? [] : await orNone(dns.naptr(host));
  const byRule = new Map<TransportName, string>();
  for (const { flags, service, replacement } of rules.toSorted(inRuleOrder)) {
    const transport = naptrServices.get(service.toUpperCase());
    const usable = flags.toUpperCase() === 'S' && replacement !== '' && transport !== undefined;
    if (usable && transports.includes(transport) && !byRule.has(transport))
      byRule.set(transport, replacement);
  }
  if (byRule.size > 0) return [...byRule].map(([transport, name]) => ({ transport, name }));
  return transports.map((transport) => ({ transport, name: `${srvPrefixes[transport]}.${host}` }));
}

const inRuleOrder = (a: NaptrRecord, b: NaptrRecord): number =>
  a.order - b.order || a.preference - b.preference;

/** @returns undefined when there are no SRV records at all; a record for `.` says that there is no server */
async function serversOf(
  services: readonly Omit<Server, 'port'>[],
  dns: Dns,
  random: () => number,
): Promise<Server[] | undefined> {
  const answers = await Promise.all(services.map(({ name }) => orNone(dns.srv(name))));
  if (answers.every((records) => records.length === 0)) return undefined;
  return services.flatMap(({ transport }, index) =>
    inTryingOrder(answers[index] ?? [], random)
      .filter(({ name }) => name !== '' && name !== '.')
      .map(({ name, port }) => ({ transport, name, port })),
  );
}

async function addressesOf(name: string, families: ReadonlySet<Family>, dns: Dns): Promise<string[]> {
  const wanted = ([4, 6] as const).filter((family) => families.has(family));
  const fits = (address: string): boolean => wanted.some((family) => family === isIP(address));
  if (isIP(name) !== 0) return [name].filter(fits);
  const answers = await Promise.allSettled(wanted.map((family) => dns.addresses(name, family)));
  const asked = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (asked.length > 0) return asked.slice(0, MAX_ADDRESSES).map(({ address }) => address);
  if (!name.includes('.')) return (await dns.lookup(name)).filter(fits).slice(0, MAX_ADDRESSES);
  return whatCame(answers).map(({ address }) => address);
}

/** All that was found. @throws the first failure, when nothing was */
function whatCame<Item>(answers: readonly PromiseSettledResult<readonly Item[]>[]): Item[] {
  const items = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const failure = answers.find((answer) => answer.status === 'rejected');
  if (items.length === 0 && failure !== undefined) throw failure.reason;
  return items;
}

/** Two names may lead to the same server. */
const onceEach = (hops: readonly Hop[]): Hop[] => [
  ...new Map(hops.map((hop) => [`${hop.transport} ${hop.address} ${hop.port}`, hop])).values(),
];

const orNone = <Item>(answer: Promise<readonly Item[]>): Promise<readonly Item[]> => answer.catch(() => []);
