import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { carriers } from '../providers.ts';
import { sessionModes } from '../roles.ts';
import { srtpPolicies } from '../srtp.ts';
import { codecList } from './codecs.ts';
import { digestAlgorithms } from './digest-algorithms.ts';
import { drachtioProblems, drachtioSchema } from './drachtio.ts';
import { applyEnvironment } from './environment.ts';
import { outboundProblems, outboundSchema } from './outbound.ts';
import { organizationPipelineSchema, pipelineProblems, pipelineSchema } from './pipeline.ts';
import { configurationProblems, type Problem, repeated } from './problems.ts';
import { scopes } from './scopes.ts';
import { selfTestSchema } from './self-test.ts';
import { CERTIFICATES_MOST, certificateSchema, tlsProblems, tlsSchema } from './tls.ts';
import {
  addressSchema,
  allowed,
  cidrSchema,
  dnsServerSchema,
  domainSchema,
  e164Schema,
  flag,
  hostPortSchema,
  languageSchema,
  listenSchema,
  portRangeSchema,
  seconds,
  secret,
  storeUrlSchema,
  text,
} from './values.ts';

/**
 * One schema for all settings. Each key is documented, with its default, in `config/gateway.yaml`.
 * A wrong key or value stops the start with its path, what was found and what is allowed.
 */

const count = (least: number, most: number, fallback: number) =>
  allowed(z.number().int().min(least).max(most), `a whole number from ${least} to ${most}`).default(fallback);
const percent = (fallback: number) =>
  allowed(z.number().int().min(1).max(100), 'a whole number from 1 to 100 percent').default(fallback);
const minutes = (fallback: number) =>
  allowed(z.number().int().min(1).max(1440), 'a whole number of minutes from 1 to 1440').default(fallback);
const days = (fallback: number) =>
  allowed(z.number().int().min(1).max(3650), 'a whole number of days from 1 to 3650').default(fallback);

const mixLevel = allowed(z.number().min(-60).max(0), 'a level from -60 to 0 dB').optional();

/** A key alone is one with all scopes. */
const apiKey = z.preprocess(
  (item) => (typeof item === 'string' ? { key: item } : item),
  z.strictObject({
    key: secret(
      allowed(
        z.string().regex(/^sk_(live|test)_[A-Za-z0-9_-]{8,128}$/),
        'sk_live_ or sk_test_ and 8 to 128 letters, digits, _ or -',
      ),
    ),
    scopes: z
      .array(allowed(z.enum(['*', ...scopes]), `* (all) or one of ${scopes.join(', ')}`))
      .min(1)
      .max(20)
      .default(['*']),
  }),
);

const organization = z.strictObject({
  id: allowed(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), '1 to 64 letters, digits, _ or -'),
  name: text(200),
  api_keys: z.array(apiKey).max(100).default([]),
  pipeline: organizationPipelineSchema.optional(),
  sip: z
    .strictObject({
      enabled: flag(true),
      username: allowed(
        z.string().regex(/^[A-Za-z0-9._~+-]{1,128}$/),
        '1 to 128 letters, digits or . _ ~ + -',
      ).optional(),
      password: secret(allowed(z.string().min(8).max(128), 'a text of 8 to 128 characters')).optional(),
      allowed_ips: z.array(cidrSchema).max(1000).default([]),
      require_digest: flag(false),
      tls_required: flag(false),
      tls_certificates: z.array(certificateSchema).max(CERTIFICATES_MOST).default([]),
      codecs: codecList.optional(),
      concurrency_limit: count(1, 100_000, 100),
      media_timeout_seconds: allowed(
        z.number().int().min(0).max(86_400),
        'a whole number of seconds from 0 to 86400',
      ).optional(),
      srtp: allowed(z.enum(srtpPolicies), 'off, optional or required').default('off'),
      inbound_first: flag(false),
      session_defaults: z
        .strictObject({
          mode: allowed(z.enum(sessionModes), sessionModes.join(', ')).optional(),
          source_language: languageSchema.optional(),
          target_language: languageSchema.optional(),
          mix_original_db: mixLevel,
          metadata: allowed(z.record(z.string(), z.unknown()), 'a map').optional(),
        })
        .optional(),
      outbound: outboundSchema.optional(),
    })
    .prefault({}),
});

const sip = z.strictObject({
  engine: allowed(z.enum(['embedded', 'drachtio']), 'embedded or drachtio').default('embedded'),
  drachtio: drachtioSchema,
  listen: z.array(listenSchema).min(1).max(16).default(['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060']),
  tls: tlsSchema.prefault({}),
  advertised_address: addressSchema.optional(),
  domains: z.array(domainSchema).min(1).max(100).default(['sip.kallglot.com']),
  realm: allowed(
    z.string().regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,255}$/),
    'a text of 1 to 255 printable characters without quotes',
  ).optional(),
  digest_algorithms: z
    .array(allowed(z.enum(digestAlgorithms), 'MD5, SHA-256 or SHA-512-256'))
    .min(1)
    .max(3)
    .default(['MD5']),
  hep: z
    .strictObject({
      host: text(255),
      port: count(1, 65_535, 9060),
      capture_id: count(0, 4_294_967_295, 2001),
      password: secret(text(200)).optional(),
    })
    .optional(),
  dns_servers: z.array(dnsServerSchema).max(8).default([]),
  trusted_proxies: z.array(cidrSchema).max(1000).default([]),
  self_test: selfTestSchema.prefault({}),
  session_expires_seconds: seconds(90, 86_400, 1800),
  min_session_expires_seconds: seconds(90, 86_400, 90),
  ban: z
    .strictObject({
      after: count(1, 10_000, 10),
      within_seconds: seconds(1, 86_400, 60),
      for_seconds: seconds(1, 604_800, 300),
    })
    .prefault({}),
});

const media = z.strictObject({
  address: addressSchema.default('0.0.0.0'),
  advertised_address: addressSchema.optional(),
  ports: portRangeSchema.default('20000-29999'),
  workers: count(1, 64, Math.max(1, availableParallelism() - 1)),
  sockets: z.enum(['libc', 'node']).optional(),
  timeout_seconds: seconds(0, 86_400, 60),
});

const carrierUrl = (standard: string) =>
  allowed(z.url({ protocol: /^https?$/ }), 'an http:// or https:// address').default(standard);

const telephony = z.strictObject({
  inventory: z
    .array(
      z.strictObject({
        phone_number: e164Schema,
        carrier: allowed(z.enum(carriers), 'twilio or telnyx'),
      }),
    )
    .max(10_000)
    .default([]),
  twilio_url: carrierUrl('https://api.twilio.com'),
  telnyx_url: carrierUrl('https://api.telnyx.com'),
  twilio_auth_token: secret(text(200)).optional(),
  telnyx_public_key: allowed(
    z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
    'the public key of the Telnyx account, 44 characters of base64',
  ).optional(),
});

export const configSchema = z.strictObject({
  sip: sip.prefault({}),
  api: z
    .strictObject({
      listen: hostPortSchema.default('0.0.0.0:8080'),
      admin_key: secret(allowed(z.string().min(16).max(200), 'a text of 16 to 200 characters')).optional(),
      public_url: allowed(z.url({ protocol: /^https?$/ }), 'an http:// or https:// address').optional(),
      rate_limit: z
        .strictObject({
          requests_per_minute: count(1, 1_000_000, 600),
          session_creates_per_minute: count(1, 1_000_000, 300),
          failed_authentications_per_minute: count(1, 1_000_000, 60),
        })
        .prefault({}),
    })
    .prefault({}),
  store: z
    .strictObject({
      url: storeUrlSchema.default('sqlite:var/kallglot.db'),
      encryption_key: secret(
        allowed(z.string().min(16).max(200), 'a text of 16 to 200 characters'),
      ).optional(),
    })
    .prefault({}),
  media: media.prefault({}),
  pipeline: pipelineSchema.prefault({}),
  telephony: telephony.prefault({}),
  session: z
    .strictObject({
      unused_minutes: minutes(30),
      silent_minutes: minutes(30),
      rejoin_seconds: seconds(0, 3600, 30),
      waiting: allowed(
        z
          .string()
          .max(4096)
          .regex(/^(silence|tone|.+\.wav)$/i),
        'silence, tone or the path of a .wav file',
      ).default('silence'),
      transcript_days: days(30),
      mix_original_db: mixLevel,
    })
    .prefault({}),
  webhooks: z.strictObject({ allow_private: flag(false) }).prefault({}),
  limits: z
    .strictObject({
      max_calls: count(1, 100_000, 1000),
      max_dials: count(1, 10_000, 100),
      rtp_ports_percent: percent(95),
      event_loop_delay_ms: count(10, 60_000, 200),
      media_delay_ms: count(1, 60_000, 40),
      media_busy_percent: percent(90),
      memory_percent: percent(90),
    })
    .prefault({}),
  shutdown: z.strictObject({ drain_seconds: seconds(0, 86_400, 20) }).prefault({}),
  log: z
    .strictObject({
      level: allowed(
        z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
        'trace, debug, info, warn, error, fatal or silent',
      ).default('info'),
      show_numbers: flag(false),
    })
    .prefault({}),
  organizations: z.array(organization).max(10_000).default([]),
});

export type Config = z.infer<typeof configSchema>;
export type OrganizationConfig = Config['organizations'][number];

/** The configuration cannot be used: every problem, a line each. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(source: string, problems: readonly Problem[]) {
    const lines = problems.map((p) => `  ${p.path}: found ${p.found}; allowed: ${p.allowed}`);
    super([`the configuration (${source}) cannot be used:`, ...lines].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Checks settings and fills in the defaults.
 * @throws ConfigError with every wrong key and value
 */
export function parseConfig(settings: unknown, source = 'settings'): Config {
  const result = configSchema.safeParse(settings ?? {});
  if (!result.success)
    throw new ConfigError(source, configurationProblems(configSchema, settings, result.error));
  const problems = crossChecks(result.data);
  if (problems.length > 0) throw new ConfigError(source, problems);
  return result.data;
}

/**
 * Reads a YAML file and lays `KALLGLOT_…` environment variables over it (`KALLGLOT_SIP__LISTEN` is `sip.listen`).
 * @throws ConfigError when the file cannot be read, is not YAML, or holds wrong keys or values
 */
export function loadConfig(file: string | undefined, environment: NodeJS.ProcessEnv): Config {
  const settings = file === undefined ? {} : readSettings(file);
  return parseConfig(applyEnvironment(configSchema, settings, environment), file ?? 'environment');
}

function readSettings(file: string): unknown {
  try {
    return withoutNulls(parseYaml(readFileSync(file, 'utf8')) ?? {});
  } catch (error) {
    const found = (error as Error).message.split('\n')[0] ?? 'an error';
    throw new ConfigError(file, [{ path: '(file)', found, allowed: 'a readable YAML file' }]);
  }
}

/** A section whose keys are all commented out is null in YAML, and means nothing is set. */
function withoutNulls(settings: unknown): unknown {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return settings;
  const kept = Object.entries(settings).filter(([, value]) => value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutNulls(value)]));
}

/** What no single key can tell: values that have to fit each other. */
function crossChecks({ organizations, telephony, store, sip, pipeline }: Config): Problem[] {
  const problems =
    sip.engine === 'embedded' ? tlsProblems(sip.listen, sip.tls) : drachtioProblems(sip.drachtio);
  problems.push(...pipelineProblems(pipeline, 'pipeline'));
  const once = (...args: Parameters<typeof repeated>) => problems.push(...repeated(...args));
  const numbers = new Set<string>();
  for (const [index, { phone_number }] of telephony.inventory.entries())
    once(numbers, phone_number, `telephony.inventory[${index}].phone_number`);
  const [ids, usernames, keys] = [new Set<string>(), new Set<string>(), new Set<string>()];
  organizations.forEach(({ id, api_keys, sip: trunk, pipeline: own }, index) => {
    const path = `organizations[${index}]`;
    once(ids, id, `${path}.id`);
    for (const { key } of api_keys) once(keys, key, `${path}.api_keys`, 'a key');
    if (trunk.username !== undefined) once(usernames, trunk.username, `${path}.sip.username`);
    if ((trunk.username === undefined) !== (trunk.password === undefined)) {
      problems.push({
        path: `${path}.sip`,
        found: 'one of username and password',
        allowed: 'both or neither',
      });
    }
    if (own !== undefined) problems.push(...pipelineProblems(own, `${path}.pipeline`));
    problems.push(
      ...outboundProblems(trunk.outbound, `${path}.sip.outbound`, store.encryption_key !== undefined),
    );
  });
  return problems;
}
