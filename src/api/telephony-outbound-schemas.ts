import { z } from 'zod';
import {
  callerId,
  domainRule,
  numberRule,
  RULES_MOST,
  trunkHost,
  trunkPassword,
  trunkTransport,
  trunkUsername,
} from '../config/outbound.ts';

/** The REST shapes of the outbound settings. Keys that are not named here are ignored. */

const example = {
  enabled: true,
  host: 'sip.carrier.example',
  port: 5060,
  transport: 'udp' as const,
  username: 'acme',
  caller_id: '+14155550100',
  allowed_numbers: ['+1', '!+1900', '+49'],
  allowed_domains: ['pbx.example.com', '*.branches.example.com'],
};

export const outboundBody = z
  .object({
    enabled: z.boolean().default(true),
    host: trunkHost.nullish().describe('Of the trunk; left out: no numbers can be called'),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .nullish()
      .describe('Left out: as the SRV records of the host say, else 5060'),
    transport: trunkTransport.default('udp'),
    username: trunkUsername.nullish(),
    password: trunkPassword
      .nullish()
      .describe('Left out: the one that is there, as long as host and username stay the same'),
    caller_id: callerId.nullish().describe('Who is calling, where a dial does not say'),
    allowed_numbers: z
      .array(numberRule)
      .max(RULES_MOST)
      .default([])
      .describe(
        'Prefixes of the numbers that may be called; the longest decides, one with ! refuses. Empty: none',
      ),
    allowed_domains: z
      .array(domainRule)
      .max(RULES_MOST)
      .default([])
      .describe('Hosts whose SIP URIs may be called, with any user part. Empty: none'),
  })
  .meta({
    examples: [{ ...example, password: 'a-long-password' }, { allowed_domains: ['pbx.example.com'] }],
  });

export const outboundSettings = z
  .object({
    object: z.literal('sip_outbound'),
    managed_by: z.enum(['api', 'config']),
    enabled: z.boolean(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    transport: z.enum(['udp', 'tcp', 'tls']),
    username: z.string().nullable(),
    password_set: z.boolean(),
    caller_id: z.string().nullable(),
    allowed_numbers: z.array(z.string()),
    allowed_domains: z.array(z.string()),
  })
  .meta({ examples: [{ object: 'sip_outbound', managed_by: 'api', ...example, password_set: true }] });

export const outboundDeleted = z.object({ object: z.literal('sip_outbound'), deleted: z.literal(true) });
