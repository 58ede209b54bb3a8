import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';

/** The shapes of single settings: addresses, lists of networks, port ranges. */

/** Notes on a schema what a person may write there, for the message when it is wrong. */
export function allowed<T extends z.ZodType>(schema: T, words: string): T {
  return schema.meta({ allowed: words });
}

export const seconds = (least: number, most: number, fallback: number) =>
  allowed(
    z.number().int().min(least).max(most),
    `a whole number of seconds from ${least} to ${most}`,
  ).default(fallback);
export const text = (most: number) =>
  allowed(z.string().min(1).max(most), `a text of 1 to ${most} characters`);
export const flag = (fallback: boolean) => allowed(z.boolean(), 'true or false').default(fallback);

const isPort = (text: string, least: number): boolean =>
  /^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= 65_535;

/** `ADDRESS:PORT`, an IPv6 address in brackets. @returns undefined when it is not one. */
export function parseHostPort(value: string): { host: string; port: number } | undefined {
  const colon = value.lastIndexOf(':');
  const host = value.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = value.slice(colon + 1);
  return colon > 0 && isIP(host) !== 0 && isPort(port, 0) ? { host, port: Number(port) } : undefined;
}

export interface Listen {
  transport: 'udp' | 'tcp' | 'tls';
  host: string;
  port: number;
}

/** `udp:0.0.0.0:5060`, `tls:[::]:5061`. @returns undefined when it is not one. */
export function parseListen(value: string): Listen | undefined {
  const transport = (['udp', 'tcp', 'tls'] as const).find((each) => value.startsWith(`${each}:`));
  const rest = parseHostPort(value.slice(4));
  return transport && rest && { transport, ...rest };
}

/** An address or a network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32. */
function isCidr(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  if (rest.length > 0 || isIP(address) === 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (isIPv4(address) ? 32 : 128));
}

/** `20000-29999`. @returns undefined when it is not a range that holds a pair. */
export function parsePortRange(value: string): { from: number; to: number } | undefined {
  const [from = '', to = '', ...rest] = value.split('-');
  if (rest.length > 0 || !isPort(from, 1024) || !isPort(to, 1024)) return undefined;
  const range = { from: Number(from), to: Number(to) };
  return range.to - range.from >= 2 ? range : undefined;
}

/** Notes that a value is never to be shown, not even when it is wrong. */
export function secret<T extends z.ZodType>(schema: T): T {
  return schema.meta({ ...schema.meta(), secret: true });
}

export const hostPortSchema = allowed(
  z.string().refine((value) => parseHostPort(value) !== undefined),
  'ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080',
);
export const dnsServerSchema = allowed(
  z.string().refine((value) => isIP(value) !== 0 || parseHostPort(value) !== undefined),
  'ADDRESS or ADDRESS:PORT, such as 192.0.2.53 or [2001:db8::53]:5353',
);
/** A host name, a domain or an address, as it may stand in a SIP URI and in a quoted string. */
export const domainSchema = allowed(
  z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]+\]$/),
  'a domain such as sip.example.com, or an address',
);
export const addressSchema = allowed(
  z.string().refine((value) => isIP(value) !== 0),
  'an IPv4 or IPv6 address',
);
export const cidrSchema = allowed(
  z.string().refine(isCidr),
  'an address or a network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32',
);
export const listenSchema = allowed(
  z.string().refine((value) => parseListen(value) !== undefined),
  'udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT, such as udp:0.0.0.0:5060 or tls:[::]:5061',
);
/** A phone number as ITU-T E.164 has it, in full. */
export const E164 = /^\+[1-9]\d{6,14}$/;
export const e164Schema = allowed(z.string().regex(E164), 'a number in E.164 form, such as +14155550100');
export const languageSchema = allowed(
  z.string().regex(/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,2}$/),
  'a language code such as en, es, de or pt-BR',
);
export const pemFileSchema = allowed(z.string().min(1).max(4096), 'the path of a PEM file');
export const portRangeSchema = allowed(
  z.string().refine((value) => parsePortRange(value) !== undefined),
  'FIRST-LAST, from 1024 to 65535 and at least 3 ports, such as 20000-29999',
);
export const storeUrlSchema = secret(
  allowed(
    z.string().refine((value) => /^sqlite:.+|^postgres(ql)?:\/\/.+/.test(value) && URL.canParse(value)),
    'sqlite:PATH, such as sqlite:var/kallglot.db, or postgres://USER:PASSWORD@HOST:PORT/DATABASE',
  ),
);
