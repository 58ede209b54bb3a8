import { z } from 'zod';
import { codecList, codecNames } from '../config/codecs.ts';
import { CERTIFICATES_MOST, certificateSchema } from '../config/tls.ts';
import { E164 } from '../config/values.ts';
import { carriers } from '../providers.ts';
import { sessionModes } from '../roles.ts';
import { srtpPolicies } from '../srtp.ts';
import { boundedObject, language, mixOriginalDb } from './session-schemas.ts';

/** The REST shapes of the telephony settings. Keys that are not named here are ignored. */

export const byId = z.object({ id: z.string() });
const carrier = z.enum(carriers);
const iso = z.iso.datetime();

export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ object: z.literal('list'), data: z.array(item), has_more: z.literal(false), url: z.string() });

/** A whole list: none of these is long enough to be given in pages. */
export const list = <T>(url: string, data: T[]) => ({
  object: 'list' as const,
  data,
  has_more: false as const,
  url,
});

export const deleted = z.object({ id: z.string(), object: z.string(), deleted: z.literal(true) });

const mode = z.enum(sessionModes as [(typeof sessionModes)[number], ...(typeof sessionModes)[number][]]);
/** What a session gets that a call makes; of a number or a connection, over the organization's. */
const sessionDefaults = z
  .object({
    mode: mode.optional(),
    source_language: language.nullish(),
    target_language: language.nullish(),
    mix_original_db: mixOriginalDb.nullish(),
    metadata: boundedObject.nullish(),
  })
  .nullable()
  .describe(
    'What the sessions get that calls make; of a number or a connection, over those of the organization',
  );
const shownDefaults = z
  .object({
    mode,
    source_language: z.string().nullable(),
    target_language: z.string().nullable(),
    mix_original_db: z.number().nullable(),
    metadata: z.record(z.string(), z.unknown()).nullable(),
  })
  .nullable();

export const buyNumberBody = z.object({
  phone_number: z
    .string()
    .regex(E164, 'must be a number in E.164 form, such as +14155550100')
    .meta({ examples: ['+14155550100'] }),
});
export const availableNumber = z
  .object({
    object: z.literal('available_number'),
    phone_number: z.string(),
    carrier,
  })
  .meta({ examples: [{ object: 'available_number', phone_number: '+14155550100', carrier: 'twilio' }] });
export const number = z
  .object({
    id: z.string(),
    object: z.literal('phone_number'),
    phone_number: z.string(),
    carrier,
    active: z.boolean(),
    session_defaults: sessionDefaults,
    created_at: iso,
  })
  .meta({
    examples: [
      {
        id: 'num_01JQZX3M8T5VY7B2N4K6P9R1WC',
        object: 'phone_number',
        phone_number: '+14155550100',
        carrier: 'twilio',
        active: true,
        session_defaults: { mode: 'bidirectional_translation', source_language: 'en' },
        created_at: '2026-01-01T12:00:00.000Z',
      },
    ],
  });
export const changeNumberBody = z
  .object({ session_defaults: sessionDefaults })
  .meta({ examples: [{ session_defaults: { mode: 'ai_agent', source_language: 'en' } }] });

const name = z.string().min(1).max(100).optional();
/** What Telnyx signs its webhooks with. */
const publicKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, 'must be the public key of the Telnyx account, in base64')
  .nullish();
/** Goes into a header, so printable ASCII only. */
const carrierSecret = z.string().regex(/^[\x21-\x7e]{8,200}$/, 'must be 8 to 200 printable characters');
export const addConnectionBody = z
  .discriminatedUnion('provider', [
    z.object({
      provider: z.literal('twilio'),
      name,
      account_sid: z.string().regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hexadecimal digits'),
      auth_token: carrierSecret,
    }),
    z.object({
      provider: z.literal('telnyx'),
      name,
      api_key: carrierSecret,
      public_key: publicKey.describe(
        'Checks the webhooks of its calls; in the portal under Keys & Credentials',
      ),
    }),
  ])
  .meta({
    examples: [
      {
        provider: 'twilio',
        name: 'Main account',
        account_sid: 'AC00000000000000000000000000000000',
        auth_token: 'your-auth-token',
      },
      { provider: 'telnyx', api_key: 'your-api-key', public_key: `${'A'.repeat(43)}=` },
    ],
  });
export const changeConnectionBody = z
  .object({ name, public_key: publicKey, session_defaults: sessionDefaults.optional() })
  .meta({ examples: [{ name: 'Main account', session_defaults: { target_language: 'de' } }] });
export const connection = z
  .object({
    id: z.string(),
    object: z.literal('connection'),
    provider: carrier,
    name: z.string(),
    account_sid: z.string().nullable(),
    status: z.enum(['verified', 'unverified', 'rejected']),
    status_detail: z.string().nullable(),
    is_default: z.boolean(),
    active: z.boolean(),
    public_key: z.string().nullable(),
    voice_url: z.string().describe('The voice webhook, for the numbers of this account at its carrier'),
    session_defaults: sessionDefaults,
    created_at: iso,
  })
  .meta({
    examples: [
      {
        id: 'pcon_01JQZX3M8T5VY7B2N4K6P9R1WC',
        object: 'connection',
        provider: 'twilio',
        name: 'Main account',
        account_sid: 'AC00000000000000000000000000000000',
        status: 'verified',
        status_detail: null,
        is_default: true,
        active: true,
        public_key: null,
        voice_url:
          'https://api.kallglot.com/v1/carriers/twilio/voice?connection_id=pcon_01JQZX3M8T5VY7B2N4K6P9R1WC',
        session_defaults: null,
        created_at: '2026-01-01T12:00:00.000Z',
      },
    ],
  });

export const changeSipBody = z
  .object({
    enabled: z.boolean().optional(),
    require_digest: z.boolean().optional(),
    concurrency_limit: z.int().min(1).max(100_000).optional(),
    media_timeout_seconds: z.int().min(0).max(86_400).nullish(),
    codecs: codecList.nullish(),
    inbound_first: z.boolean().optional(),
    session_defaults: sessionDefaults.optional(),
    tls_required: z.boolean().optional(),
    tls_certificates: z.array(certificateSchema).max(CERTIFICATES_MOST).optional(),
    srtp: z.enum(srtpPolicies).optional(),
  })
  .meta({
    examples: [
      { require_digest: true, concurrency_limit: 50, srtp: 'optional' },
      { inbound_first: true, session_defaults: { mode: 'ai_agent', source_language: 'en' } },
      { tls_required: true, tls_certificates: ['pbx.acme.example'] },
    ],
  });

export const allowedIp = z
  .object({
    object: z.literal('allowed_ip'),
    cidr: z.string(),
    note: z.string().nullable(),
  })
  .meta({ examples: [{ object: 'allowed_ip', cidr: '192.0.2.0/24', note: 'head office' }] });
export const allowIpBody = z.object({
  cidr: z
    .string()
    .min(1)
    .max(64)
    .meta({ examples: ['192.0.2.0/24'] }),
  note: z.string().max(200).nullish(),
  confirm: z.string().max(100).optional(),
});
export const byCidr = z.object({ cidr: z.string().min(1).max(64) });

/** A trunk as it is shown. */
const sipSettingsExample = {
  object: 'sip_settings',
  managed_by: 'api',
  enabled: true,
  username: 'kg_7f3a9c',
  domain: 'sip.kallglot.com',
  allowed_ips: [{ object: 'allowed_ip', cidr: '192.0.2.0/24', note: 'head office' }],
  require_digest: false,
  concurrency_limit: 100,
  media_timeout_seconds: null,
  codecs: ['opus', 'PCMU'],
  inbound_first: false,
  session_defaults: null,
  tls_required: false,
  tls_certificates: ['pbx.acme.example'],
  srtp: 'off',
} as const;

export const sipSettings = z
  .object({
    object: z.literal('sip_settings'),
    managed_by: z.enum(['api', 'config']),
    enabled: z.boolean(),
    username: z.string().nullable(),
    domain: z.string(),
    allowed_ips: z.array(allowedIp),
    require_digest: z.boolean(),
    concurrency_limit: z.int(),
    media_timeout_seconds: z.int().nullable(),
    codecs: z.array(z.enum(codecNames)).nullable(),
    inbound_first: z.boolean(),
    session_defaults: shownDefaults,
    tls_required: z.boolean(),
    tls_certificates: z.array(z.string()),
    srtp: z.enum(srtpPolicies),
  })
  .meta({ examples: [sipSettingsExample] });
/** `password` is there in the one answer that shows it, else null. */
export const sipSettingsWithPassword = sipSettings
  .extend({ password: z.string().nullable() })
  .meta({ examples: [{ ...sipSettingsExample, password: 'shown-once-and-never-again' }] });

export const pbxConfiguration = z
  .object({
    object: z.literal('pbx_configuration'),
    pbx: z.enum(['freeswitch', 'asterisk', 'kamailio']),
    transport: z.enum(['udp', 'tls']),
    file: z.string(),
    text: z.string(),
  })
  .meta({
    examples: [
      {
        object: 'pbx_configuration',
        pbx: 'asterisk',
        transport: 'udp',
        file: '/etc/asterisk/pjsip.conf',
        text: '[kallglot]\ntype=endpoint\n',
      },
    ],
  });
