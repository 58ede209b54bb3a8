import { Bans } from '../../src/admission/bans.ts';
import type { CallRoutes } from '../../src/api/call-routes.ts';
import type { CarrierRoutes } from '../../src/api/carrier-routes.ts';
import type { DialRoutes } from '../../src/api/dial-routes.ts';
import { type RateLimitSettings, RateLimits } from '../../src/api/rate-limits.ts';
import type { SelfTestRoutes } from '../../src/api/self-test-routes.ts';
import { type ApiOptions, createApi } from '../../src/api/server.ts';
import type { TelephonyRoutes } from '../../src/api/telephony-routes.ts';
import type { WebhookRoutes } from '../../src/api/webhook-routes.ts';
import type { Clock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import { IdempotencyKeys } from '../../src/sessions/idempotency-keys.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { Transcripts } from '../../src/sessions/transcripts.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { RecentRefusals } from '../../src/telemetry/recent-refusals.ts';
import { findApiCaller } from '../../src/telephony/api-keys.ts';
import { importOrganizations } from '../../src/telephony/configured-organizations.ts';
import { Organizations } from '../../src/telephony/organizations.ts';
import { Registrations } from '../../src/telephony/registrations.ts';
import { noRateLimit } from '../support/gateway.ts';

const { organizations } = parseConfig({
  organizations: [
    {
      id: 'acme',
      name: 'Acme',
      api_keys: [
        'sk_test_acme_0123456789',
        'sk_live_acme_0123456789',
        { key: 'sk_test_reader_0123456789', scopes: ['sessions:read'] },
        { key: 'sk_test_writer_0123456789', scopes: ['sessions:write', 'telephony:read'] },
      ],
    },
    { id: 'other', name: 'Other', api_keys: ['sk_test_other_0123456789'], sip: { enabled: false } },
  ],
});

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
export const acme = bearer('sk_test_acme_0123456789');
export const other = bearer('sk_test_other_0123456789');
export const sip = { mode: 'bidirectional_translation', routing: { type: 'sip' } };

export interface ApiFixtureOptions {
  /** File of the store; absent: in memory. */
  file?: string;
  rateLimit?: RateLimitSettings;
  legsOf?: CallRoutes['legsOf'];
  /** Further parts, made from those of the fixture. */
  parts?: (made: {
    store: Store;
    sessions: Sessions;
    transcripts: Transcripts;
    clock: Clock;
  }) => Partial<ApiOptions>;
}

/** The API over a store of its own and a clock that the test moves; telephony and webhooks are there as routes only. */
export async function openApi({
  file,
  rateLimit = noRateLimit,
  legsOf = () => [],
  parts,
}: ApiFixtureOptions = {}) {
  const state = { draining: false, skewMs: 0 };
  const clock: Clock = { now: () => Date.now() + state.skewMs, monotonic: () => performance.now() };
  const store = await openStore(`sqlite:${file ?? ':memory:'}`, 0);
  await importOrganizations(store, organizations, 'sip.kallglot.com');
  const sessions = new Sessions(store, clock, 'sip.kallglot.com');
  const transcripts = new Transcripts(store, clock);
  const idempotencyKeys = new IdempotencyKeys(store, clock);
  const bans = new Bans({ after: 10, within_seconds: 60, for_seconds: 300 }, clock);
  /** SIP messages by the id of their call, or why there are none. */
  const traces = new Map<string, string | Error>();
  const api = createApi({
    ...{ sessions, transcripts, idempotencyKeys, legsOf, unrecordedLegsOf: legsOf },
    log: createLog('silent'),
    metrics: createMetrics(),
    upgrades: { isOurs: () => false, take: () => undefined },
    refusals: new RecentRefusals(),
    rateLimits: new RateLimits(rateLimit, clock),
    adminKey: 'an-admin-key-of-length',
    bans: {
      list: () => bans.list(),
      ban: (address, forMs) => bans.ban(address, 'operator', forMs),
      lift: (address) => bans.lift(address),
    },
    banSeconds: 300,
    registrations: new Registrations(store, () => clock.now()),
    sipTrace: async (id) => {
      const trace = traces.get(id);
      if (trace instanceof Error) throw trace;
      return trace;
    },
    organizations: new Organizations(store, async () => undefined),
    findCaller: (key) => findApiCaller(store, key),
    view: {
      sipDomain: 'sip.kallglot.com',
      streamBase: 'wss://api.kallglot.com/v1',
      streamSecret: 's',
      now: () => clock.now(),
    },
    routingSettings: (id) => ({
      sipEnabled: id === 'acme',
      numbers: [{ phoneNumber: '+14155550100', active: true, provider: 'twilio' }],
      connections: [{ id: 'pcon_own', active: true, isDefault: false, provider: 'telnyx' }],
    }),
    draining: () => state.draining,
    notReady: () => (state.draining ? ['draining'] : []),
    capacity: () => ({}),
    telephony: {
      numbers: {},
      connections: {},
      sip: {},
      sipAddress: {},
      outbound: {},
    } as TelephonyRoutes['telephony'],
    webhooks: { endpoints: {}, deliveries: {} } as WebhookRoutes['webhooks'],
    selfTests: {} as SelfTestRoutes['selfTests'],
    dialing: {} as DialRoutes['dialing'],
    carriers: { unavailable: () => undefined } as CarrierRoutes['carriers'],
    ...parts?.({ store, sessions, transcripts, clock }),
  });
  const request = (
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    { headers = acme, body }: { headers?: Record<string, string>; body?: unknown } = {},
  ) => api.inject({ method, url, headers, ...(body !== undefined && { payload: body as object }) });
  return {
    ...{ state, clock, traces, store, sessions, transcripts, idempotencyKeys, api, request },
    create: (body: unknown = sip, headers: Record<string, string> = acme) =>
      request('POST', '/v1/sessions', { headers, body }),
    close: async () => {
      await api.close();
      await store.close();
    },
  };
}
export type ApiFixture = Awaited<ReturnType<typeof openApi>>;
