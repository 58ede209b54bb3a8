import { createApi } from './api/server.ts';
import { createBridgeContext } from './bridge/bridge-context.ts';
import { Bridges } from './bridge/bridges.ts';
import { collectTraffic } from './bridge/traffic.ts';
import { TrafficMeter } from './bridge/traffic-meter.ts';
import { systemClock as clock } from './clock.ts';
import type { Config } from './config/config.ts';
import { createMediaPool } from './media/media-pool.ts';
import { Parts } from './parts.ts';
import { openPipeline } from './pipeline/pipeline.ts';
import {
  apiAddress,
  bridgeOptions,
  caretakerOptions,
  engineOptions,
  mediaOptions,
  realmOf,
  remoteEngine,
  viewSettings,
} from './room-options.ts';
import { Caretaker } from './sessions/caretaker.ts';
import { Sessions } from './sessions/sessions.ts';
import { Admission } from './sip/admission.ts';
import { SipApplication } from './sip/sip-application.ts';
import { type Engine, startEngine } from './sip-engine/engine.ts';
import { sharedSecret } from './store/secrets.ts';
import { openStore, type Store } from './store/store.ts';
import { EngineMeter } from './telemetry/engine-meter.ts';
import type { Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { RecentRefusals } from './telemetry/recent-refusals.ts';
import { findApiCaller } from './telephony/api-keys.ts';
import { importOrganizations } from './telephony/configured-organizations.ts';
import { Registrations } from './telephony/registrations.ts';
import { Trunks } from './telephony/trunks.ts';

export interface Gateway {
  /** Where the REST API listens: `http://127.0.0.1:8080`. */
  readonly apiUrl: string;
  /** Where the SIP engine listens: `udp/127.0.0.1:5060`. */
  readonly hostports: readonly string[];
  /** Refuses new calls, hangs up the live ones and closes everything; idempotent. */
  stop(): Promise<void>;
}

/** How long a stop waits for BYEs to be answered and records to be kept. */
const SETTLE_MS = 3000;

/** What all rooms share. */
interface Base {
  config: Config;
  log: Log;
  parts: Parts;
  metrics: Metrics;
  store: Store;
  refusals: RecentRefusals;
  /** Changed once, by the stop. */
  state: { draining: boolean };
}

type Calls = Awaited<ReturnType<typeof openCalls>>;

/** The gateway's parts, from the bottom to the top; `stop` takes them down the other way. @throws Error in plain words */
export async function startGateway(config: Config, log: Log): Promise<Gateway> {
  const parts = new Parts();
  const state = { draining: false };
  try {
    const metrics = parts.add(createMetrics());
    const store = parts.add(await openStore(config.store.url, clock.now()));
    const base = { config, log, parts, metrics, store, refusals: new RecentRefusals(), state };
    const calls = await openCalls(base);
    const sip = await openSip(base, calls);
    const apiUrl = await openApi(base, calls, sip);
    log.info({ api: apiUrl, sip: sip.hostports }, 'the gateway takes calls');
    const stop = async () => {
      state.draining = true;
      calls.bridges.drain();
      await sip.settled();
      await calls.bridges.settled(SETTLE_MS);
      await parts.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      apiUrl,
      get hostports() {
        return sip.hostports;
      },
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** Organizations and sessions, media and pipeline, and the bridges between them. */
async function openCalls({ config, log, parts, metrics, store }: Base) {
  await importOrganizations(store, config.organizations, realmOf(config));
  const trunks = new Trunks(store);
  await trunks.reload();
  const sessions = new Sessions(store, clock);
  const media = parts.add(await createMediaPool({ ...mediaOptions(config), log }));
  const tokenSecret = config.pipeline.token_secret ?? (await sharedSecret(store, 'pipeline_token'));
  const links = parts.add(await openPipeline(config.pipeline, tokenSecret, clock, log));
  const meter = new TrafficMeter(metrics);
  const surroundings = { media, links, sessions, metrics, meter, log, clock };
  const bridges = new Bridges(createBridgeContext({ ...surroundings, ...bridgeOptions(config) }));
  sessions.onEnded((session) => bridges.endSession(session.id));
  metrics.beforeScrape(() => collectTraffic(bridges, media, metrics, meter));
  parts.add(new Caretaker({ sessions, clock, log, ...caretakerOptions(config, bridges) }));
  return { trunks, sessions, bridges };
}

/** The SIP engine, and the application that takes its calls. */
async function openSip(base: Base, { trunks, sessions, bridges }: Calls): Promise<SipApplication> {
  const { config, log, parts, metrics, store, refusals } = base;
  let engine: Engine | undefined;
  const admission = new Admission({
    config: config.sip,
    realm: realmOf(config),
    nonceKey: await sharedSecret(store, 'digest_nonce'),
    trunks,
    findSession: (id) => sessions.find(id),
    bridgeLive: (id) => bridges.isLive(id),
    unavailable: () => unavailable(base, bridges),
    hostports: () => sip.hostports,
    ban: (address, forMs) => engine?.control.ban(address, forMs),
    clock,
    metrics,
    log,
  });
  const now = () => clock.now();
  const sip: SipApplication = new SipApplication({
    ...{ admission, bridges, refusals, metrics, log, now },
    registrations: new Registrations(store, now),
    engineKeepsTimers: config.sip.engine === 'drachtio',
    onEngineLost: () => bridges.engineLost(),
    openEngine: async () => {
      if (config.sip.engine === 'drachtio') return remoteEngine(config.sip.drachtio);
      engine = await startEngine(engineOptions(config));
      engine.onFault((stack) => log.error({ stack }, 'the SIP engine met an error of ours'));
      return engine;
    },
  });
  parts.add(sip);
  await sip.start();
  const meter = new EngineMeter(metrics);
  metrics.beforeScrape(async () => engine && meter.add(engine, await engine.control.stats()));
  return sip;
}

/** The REST API. @returns where it listens */
async function openApi(
  base: Base,
  { trunks, sessions, bridges }: Calls,
  sip: SipApplication,
): Promise<string> {
  const { config, log, parts, metrics, store, refusals, state } = base;
  const api = createApi({
    ...{ log, metrics, refusals, sessions },
    adminKey: config.api.admin_key,
    findCaller: (key) => findApiCaller(store, key),
    view: viewSettings(config, await sharedSecret(store, 'stream_token'), clock),
    routingSettings: (id) => ({
      sipEnabled: trunks.ofOrganization(id)?.sipEnabled ?? false,
      numbers: [],
      connections: [],
    }),
    draining: () => state.draining,
    notReady: () => {
      const reason = unavailable(base, bridges) ?? (sip.isUp ? undefined : 'engine_lost');
      return reason === undefined ? [] : [reason];
    },
  });
  const url = await api.listen(apiAddress(config));
  parts.add(api);
  return url;
}

/** Why no new call is taken now. */
function unavailable({ state }: Base, bridges: Bridges): 'draining' | 'overloaded' | undefined {
  if (state.draining) return 'draining';
  return bridges.isFull ? 'overloaded' : undefined;
}
