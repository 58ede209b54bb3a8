import { isIPv6 } from 'node:net';
import type { Dns, Family } from './dns.ts';
import { DnsCache } from './dns-cache.ts';
import { FailedHops } from './failed-hops.ts';
import { numericAddress } from './numeric-address.ts';
import { hopsOfName } from './resolve-name.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import { defaultPort, type Hop, type TransportName } from './transport.ts';

/** What is to be reached: a URI's host part. */
export interface ResolveTarget {
  scheme: 'sip' | 'sips';
  /** A name, or an address, with or without brackets. */
  host: string;
  port: number | undefined;
  /** The URI's parameter, in lower case. */
  transport: string | undefined;
  /** Whom a TLS certificate has to be for, where `host` is an address of somebody whose name is known. */
  name?: string | undefined;
}

/** Where requests go (RFC 3263). */
export interface Resolver {
  /**
   * The hops to try, in this order, at least one. An address is answered at once, a name by a promise.
   * @throws ResolveError, at once or by the promise
   */
  resolve(target: ResolveTarget): readonly Hop[] | Promise<readonly Hop[]>;
  /** A request to this hop failed (503, timeout, transport error): for a while it is the last to be tried. */
  failed(hop: Hop): void;
}

/** Nothing can be sent to a target; the message says why, in plain words. */
export class ResolveError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ResolveError';
  }
}

/** What the engine listens on, and so can send from. */
export type Listening = ReadonlyMap<TransportName, ReadonlySet<Family>>;

export interface ResolverOptions {
  dns: Dns;
  listening: Listening;
  clock: EngineClock;
  stats: EngineStats;
  /** From 0 up to 1; chooses among servers of one priority. */
  random?: () => number;
}

/** ms that a whole resolution may take; what is known by then counts. */
const DEADLINE_MS = 5_000;
/** The longest name of the DNS (RFC 1035 §2.3.4). */
const MAX_NAME = 253;

/** RFC 3263 over a DNS that is passed in. */
export class DnsResolver implements Resolver {
  readonly #dns: Dns;
  readonly #listening: Listening;
  readonly #clock: EngineClock;
  readonly #failed: FailedHops;
  readonly #random: () => number;

  constructor({ dns, listening, clock, stats, random = Math.random }: ResolverOptions) {
    this.#dns = new DnsCache(dns, clock, stats);
    this.#listening = listening;
    this.#clock = clock;
    this.#failed = new FailedHops(clock);
    this.#random = random;
  }

  resolve(target: ResolveTarget): readonly Hop[] | Promise<readonly Hop[]> {
    const address = numericAddress(target.host);
    if (address !== undefined) return [this.#numeric(address, isIPv6(address) ? 6 : 4, target)];
    return this.#named(target.host.toLowerCase().replace(/\.$/, ''), target);
  }

  failed(hop: Hop): void {
    this.#failed.add(hop);
  }

  #numeric(address: string, family: Family, target: ResolveTarget): Hop {
    const transport = this.#transports(target).find((each) => this.#listening.get(each)?.has(family));
    if (transport === undefined) throw new ResolveError(`the engine does not listen on IPv${family}`);
    const hop = { transport, address, port: target.port ?? defaultPort(transport) };
    return target.name === undefined ? hop : { ...hop, name: target.name };
  }

  async #named(host: string, target: ResolveTarget): Promise<readonly Hop[]> {
    if (host === '' || host.length > MAX_NAME) throw new ResolveError(`no host name: ${host.slice(0, 80)}`);
    const transports = this.#transports(target);
    const fixed = target.transport !== undefined;
    const limited = within(this.#dns, this.#clock);
    try {
      const name = { host, port: target.port, transports, fixed };
      const hops = await hopsOfName(name, this.#listening, limited.dns, this.#random);
      if (hops.length === 0) throw new ResolveError(`${host} has no address that the engine can send to`);
      return this.#failed.last(hops);
    } catch (error) {
      if (error instanceof ResolveError) throw error;
      throw new ResolveError(`the DNS could not tell where ${host} is: ${(error as Error).message}`, error);
    } finally {
      limited.end();
    }
  }

  /** The transports that may be used for a target, the preferred one first. */
  #transports({ scheme, transport }: ResolveTarget): TransportName[] {
    const fitting = fittingTransports(scheme, transport).filter((each) => this.#listening.has(each));
    if (fitting.length > 0) return fitting;
    const wanted = scheme === 'sips' ? 'TLS' : (transport ?? 'SIP').slice(0, 16).toUpperCase();
    throw new ResolveError(`the engine does not listen on ${wanted}`);
  }
}

/** UDP comes first where nothing is said (RFC 3263 §4.1). sips is TLS, which `transport=tcp` does not change (RFC 3261 §26.2.2). */
function fittingTransports(scheme: 'sip' | 'sips', transport: string | undefined): TransportName[] {
  if (scheme === 'sips') return [undefined, 'tcp', 'tls'].includes(transport) ? ['tls'] : [];
  if (transport === undefined) return ['udp', 'tcp', 'tls'];
  return (['udp', 'tcp', 'tls'] as const).filter((each) => each === transport);
}

/** A DNS whose answers do not come later than the deadline. */
function within(dns: Dns, clock: EngineClock): { dns: Dns; end(): void } {
  const { promise: over, reject } = Promise.withResolvers<never>();
  // Nobody may be waiting when it strikes.
  over.catch(() => {});
  let late = false;
  const timer = clock.after(DEADLINE_MS, () => {
    late = true;
    reject(new Error(`no answer within ${DEADLINE_MS / 1000} s`));
  });
  const ask = <Answer>(question: () => Promise<Answer>): Promise<Answer> =>
    late ? over : Promise.race([question(), over]);
  return {
    dns: {
      naptr: (name) => ask(() => dns.naptr(name)),
      srv: (name) => ask(() => dns.srv(name)),
      addresses: (name, family) => ask(() => dns.addresses(name, family)),
      lookup: (name) => ask(() => dns.lookup(name)),
    },
    end: () => timer.cancel(),
  };
}
