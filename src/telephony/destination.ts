import { isIP } from 'node:net';
import { E164 } from '../config/values.ts';
import { ApiError } from '../errors.ts';
import { canonicalHost, parseSipTarget, type SipTarget, writeSipTarget } from './sip-target.ts';

/** Where an organization may call, and its trunk for phone numbers; nothing is allowed that is not listed. */
export interface OutboundPolicy {
  trunk: OutboundRoute | null;
  /** Default of `From`: a number or a SIP URI. */
  callerId: string | null;
  /** Prefixes of E.164 numbers, refused ones with a `!`. */
  allowedNumbers: readonly string[];
  /** Hosts, and domains as `*.example.com`. */
  allowedDomains: readonly string[];
}

/** The way to a carrier or a PBX. */
export interface OutboundRoute {
  host: string;
  /** null = as the host's SRV records say, else 5060, or 5061 for TLS. */
  port: number | null;
  transport: 'udp' | 'tcp' | 'tls';
  credentials: { username: string; password: string } | null;
}

/** A destination that may be called. */
export interface Destination {
  /** Request-URI; the request goes where it says. */
  uri: string;
  /** The same without port and parameters: who is called, wherever that is. */
  party: string;
  host: string;
  transport: 'udp' | 'tcp' | 'tls';
  /** It goes to the organization's trunk, which alone gets its credentials and the asserted caller id. */
  throughTrunk: boolean;
  credentials: { username: string; password: string } | null;
}

/** Whether a host and port are this gateway's own. */
export type IsOwn = (host: string, port: number) => boolean;

/**
 * Decides about what a client wants called (default deny). A number goes through the trunk; so does a SIP URI that names
 * a number at the trunk's host, for the list of numbers is not got round by spelling it so.
 * @param to `sip:`/`sips:` URI, or a number in E.164 form with visual separators
 * @throws ApiError `invalid_request`, `outbound_trunk_missing`, `destination_not_allowed`
 */
export function resolveDestination(to: string, policy: OutboundPolicy, isOwn: IsOwn): Destination {
  const destination = /^sips?:/i.test(to) ? ofUri(to, policy) : ofNumber(to, policy);
  const { host, port } = parseSipTarget(destination.uri) as SipTarget;
  if (isOwn(host, port ?? (destination.transport === 'tls' ? 5061 : 5060)))
    throw notAllowed('The destination is this gateway itself.');
  return destination;
}

function ofNumber(to: string, { trunk, allowedNumbers }: OutboundPolicy): Destination {
  const number = e164(to);
  if (number === undefined) {
    const message = 'to: must be a SIP URI, or a number in E.164 form such as +14155550100';
    throw new ApiError('invalid_request', { param: 'to', message });
  }
  if (trunk === null) throw new ApiError('outbound_trunk_missing', { param: 'to' });
  if (!isAllowedNumber(number, allowedNumbers))
    throw notAllowed(`${number} is not allowed by the organization's allowed_numbers.`);
  return viaTrunk(trunk, number);
}

function ofUri(to: string, policy: OutboundPolicy): Destination {
  const target = parseSipTarget(to);
  if (target === undefined) {
    const message = 'to: must be a SIP URI such as sip:agent@pbx.example.com, without password and headers';
    throw new ApiError('invalid_request', { param: 'to', message });
  }
  const { trunk, allowedNumbers, allowedDomains } = policy;
  const atTrunk = trunk !== null && target.host === canonicalHost(trunk.host);
  const number = atTrunk && target.user !== null ? e164(unescaped(target.user)) : undefined;
  if (number !== undefined) {
    if (!isAllowedNumber(number, allowedNumbers))
      throw notAllowed(`${number} is not allowed by the organization's allowed_numbers.`);
    if (isTrunk(target, trunk)) return viaTrunk(trunk as OutboundRoute, number);
  }
  if (!isAllowedHost(target.host, allowedDomains, atTrunk))
    throw notAllowed(`${target.host} is not among the organization's allowed_domains.`);
  const throughTrunk = isTrunk(target, trunk);
  return {
    uri: writeSipTarget(target),
    party: partyOf(target),
    host: target.host,
    transport: target.scheme === 'sips' ? 'tls' : (target.transport ?? 'udp'),
    throughTrunk,
    credentials: throughTrunk ? (trunk?.credentials ?? null) : null,
  };
}

function viaTrunk(trunk: OutboundRoute, number: string): Destination {
  const host = canonicalHost(trunk.host) as string;
  const transport = trunk.transport === 'udp' ? null : trunk.transport;
  const target = { scheme: 'sip' as const, user: number, host, port: trunk.port, transport, parameters: '' };
  const [uri, party] = [writeSipTarget(target), partyOf(target)];
  return { uri, party, host, transport: trunk.transport, throughTrunk: true, credentials: trunk.credentials };
}

const partyOf = (target: SipTarget): string =>
  writeSipTarget({ ...target, port: null, transport: null, parameters: '' });

/** Whether a URI leads to the trunk itself, and not to something else on its host. */
function isTrunk({ host, port, scheme, transport }: SipTarget, trunk: OutboundRoute | null): boolean {
  if (trunk === null || host !== canonicalHost(trunk.host)) return false;
  const how = scheme === 'sips' ? 'tls' : (transport ?? trunk.transport);
  const standard = trunk.transport === 'tls' ? 5061 : 5060;
  return how === trunk.transport && (port ?? trunk.port ?? standard) === (trunk.port ?? standard);
}

/** The longest rule decides; of two that are equally long, the one that refuses. */
function isAllowedNumber(number: string, rules: readonly string[]): boolean {
  const longest = (prefixes: readonly string[]) =>
    Math.max(0, ...prefixes.filter((one) => number.startsWith(one)).map((one) => one.length));
  const refused = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
  return longest(rules.filter((rule) => !rule.startsWith('!'))) > longest(refused);
}

/** Addresses, and the trunk's host, only when they are listed as they are. */
function isAllowedHost(host: string, rules: readonly string[], exactOnly: boolean): boolean {
  const isAddress = isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
  return rules.some((rule) => {
    if (!rule.startsWith('*.')) return canonicalHost(rule) === host;
    return !exactOnly && !isAddress && host.endsWith(rule.slice(1).toLowerCase());
  });
}

/** A number without its visual separators (RFC 3966 §5.1.1). @returns undefined when it is none in E.164 form */
function e164(text: string): string | undefined {
  const number = (text.split(';')[0] as string).replace(/[\s().-]/g, '');
  return text.length <= 40 && E164.test(number) ? number : undefined;
}

function unescaped(user: string): string {
  return user.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

const notAllowed = (why: string): ApiError =>
  new ApiError('destination_not_allowed', {
    param: 'to',
    message: `${why} Destinations are allowed in the outbound settings (/v1/telephony/sip/outbound).`,
  });
