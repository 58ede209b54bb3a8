import { isIPv4, isIPv6 } from 'node:net';

/** A SIP URI that an organization wants called, reduced to what is sent: nothing that could lead it elsewhere is kept. */
export interface SipTarget {
  scheme: 'sip' | 'sips';
  /** As it was written, its parameters included; null for a host alone. */
  user: string | null;
  /** Lower case; an IPv6 address in brackets, in its shortest form. */
  host: string;
  /** null = not named. */
  port: number | null;
  transport: 'udp' | 'tcp' | 'tls' | null;
  /** Further URI parameters, with their `;`. */
  parameters: string;
}

const LONGEST = 500;
const URI =
  /^(sips?):(?:([A-Za-z0-9_.!~*'()&=+$,;?/%#-]{1,200})@)?(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9._-]{0,252})(?::(\d{1,5}))?((?:;[A-Za-z0-9_.!~*'()%+-]{1,64}(?:=[A-Za-z0-9_.!~*'()%+-]{1,100})?){0,10})$/i;
/** They would send the request, or another one, somewhere else (RFC 3261 §19.1.1). */
const refusedParameters: ReadonlySet<string> = new Set(['maddr', 'ttl', 'method', 'lr']);
const transports = ['udp', 'tcp', 'tls'] as const;

/** @returns undefined when it is none, has a password or headers, or says where to send it beside its host */
export function parseSipTarget(text: string): SipTarget | undefined {
  const match = text.length > LONGEST ? null : URI.exec(text);
  if (match === null) return undefined;
  const [, scheme = '', user, host = '', port, tail = ''] = match;
  const address = canonicalHost(host);
  if (address === undefined || (port !== undefined && !isPort(Number(port)))) return undefined;
  const parameters = tail.split(';').slice(1);
  const names = parameters.map((one) => (one.split('=')[0] as string).toLowerCase());
  if (names.some((name) => refusedParameters.has(name)) || new Set(names).size < names.length)
    return undefined;
  const named = parameters[names.indexOf('transport')]?.split('=')[1]?.toLowerCase();
  const transport = transports.find((one) => one === named);
  if (named !== undefined && transport === undefined) return undefined;
  return {
    scheme: scheme.toLowerCase() as 'sip' | 'sips',
    user: user ?? null,
    host: address,
    port: port === undefined ? null : Number(port),
    transport: transport ?? null,
    parameters: parameters
      .filter((_, index) => names[index] !== 'transport')
      .map((one) => `;${one}`)
      .join(''),
  };
}

export function writeSipTarget({ scheme, user, host, port, transport, parameters }: SipTarget): string {
  const where = port === null ? host : `${host}:${port}`;
  const how = transport === null ? '' : `;transport=${transport}`;
  return `${scheme}:${user === null ? '' : `${user}@`}${where}${how}${parameters}`;
}

/**
 * A host in the one form in which hosts are compared: lower case, no dot at the end, IPv6 in its shortest form.
 * @param host a name or an address; IPv6 with or without brackets
 * @returns undefined for what looks like an address and is none, such as 127.1 or 1.2.3.4.5
 */
export function canonicalHost(host: string): string | undefined {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (isIPv6(bare)) return new URL(`http://[${bare}]`).hostname;
  if (host !== bare) return undefined;
  const name = host.toLowerCase().replace(/\.$/, '');
  // The last label of a name is never a number (RFC 3696 §2); resolvers take such a name for an address.
  return isIPv4(name) || !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(name) ? name : undefined;
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535;
