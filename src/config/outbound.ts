import { isIPv4 } from 'node:net';
import { z } from 'zod';
import type { Problem } from './problems.ts';
import { allowed, flag, secret } from './values.ts';

/** The shapes of an organization's outbound settings, the same in the configuration file and over REST. */

const worded = (pattern: RegExp, words: string) =>
  allowed(z.string().regex(pattern, `must be ${words}`), words);

const NAME = '[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?';
const HOST = `${NAME}|\\[[0-9A-Fa-f:.]{2,45}\\]`;

const hostWords = 'a host name or an address, such as sip.carrier.example or [2001:db8::1]';
/** Resolvers take a name whose last label is a number for an address (127.1); those are written out. */
export const trunkHost = allowed(
  z
    .string()
    .regex(new RegExp(`^(${HOST})$`), `must be ${hostWords}`)
    .refine((host) => isIPv4(host) || !/(^|\.)(\d+|0x[0-9a-f]*)$/i.test(host), `must be ${hostWords}`),
  hostWords,
);
export const trunkTransport = allowed(z.enum(['udp', 'tcp', 'tls']), 'udp, tcp or tls');
export const trunkUsername = worded(
  /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
  '1 to 128 printable characters without quotes',
);
export const trunkPassword = secret(worded(/^[\x20-\x7e]{1,128}$/, '1 to 128 printable characters'));
export const callerNumber = worded(/^\+?\d{1,20}$/, 'a number such as +14155550100');
/** Goes into `From`, so it is no more than a user and a host. */
const callerUri = worded(
  /^sips?:[A-Za-z0-9_.!~*'()&=+$%-]{1,100}@[A-Za-z0-9.[\]:_-]{1,253}$/,
  'a SIP URI such as sip:support@example.com',
);
export const callerId = allowed(
  z.union([callerNumber, callerUri], { error: 'must be a number such as +14155550100, or a SIP URI' }),
  'a number such as +14155550100, or a SIP URI such as sip:support@example.com',
);
/** The longest prefix that fits decides. */
export const numberRule = worded(
  /^!?\+[1-9]\d{0,14}$/,
  'a prefix of numbers such as +49, or one that is refused, such as !+1900',
);
export const domainRule = worded(
  new RegExp(`^(${HOST}|\\*\\.[A-Za-z0-9-]{1,63}\\.${NAME})$`),
  'a host such as pbx.example.com or 192.0.2.7, or all below a domain, *.example.com',
);

export const RULES_MOST = 1000;

export const outboundSchema = z.strictObject({
  enabled: flag(true),
  host: trunkHost.optional(),
  port: allowed(z.number().int().min(1).max(65_535), 'a port from 1 to 65535').optional(),
  transport: trunkTransport.default('udp'),
  username: trunkUsername.optional(),
  password: trunkPassword.optional(),
  caller_id: callerId.optional(),
  allowed_numbers: z.array(numberRule).max(RULES_MOST).default([]),
  allowed_domains: z.array(domainRule).max(RULES_MOST).default([]),
});
export type OutboundConfig = z.infer<typeof outboundSchema>;

/** What has to fit each other. @param canSeal there is a key to keep a password with */
export function outboundProblems(
  outbound: OutboundConfig | undefined,
  path: string,
  canSeal: boolean,
): Problem[] {
  if (outbound === undefined) return [];
  const { host, port, username, password } = outbound;
  const problems: Problem[] = [];
  if ((username === undefined) !== (password === undefined))
    problems.push({ path, found: 'one of username and password', allowed: 'both or neither' });
  if (host === undefined && (port !== undefined || username !== undefined))
    problems.push({ path, found: 'a port or a username without a host', allowed: 'a host as well' });
  if (password !== undefined && !canSeal) {
    const found = 'a password, and no store.encryption_key';
    problems.push({
      path: `${path}.password`,
      found,
      allowed: 'a password where store.encryption_key is set',
    });
  }
  return problems;
}
