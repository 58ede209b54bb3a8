import { knownNetworks } from './admission/allowlist.ts';
import { createBridgeContext } from './bridge/bridge-context.ts';
import { Bridges } from './bridge/bridges.ts';
import { collectTraffic } from './bridge/traffic.ts';
import { TrafficMeter } from './bridge/traffic-meter.ts';
import type { WordListener } from './bridge/transcript-feed.ts';
import { CapacityWatch } from './capacity/capacity-watch.ts';
import { systemClock as clock, steadyClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { StoreUnavailable } from './errors.ts';
import { openApi } from './gateway-api.ts';
import { createMediaPool } from './media/media-pool.ts';
import { Parts } from './parts.ts';
import { openPipeline } from './pipeline/pipeline.ts';
import {
  bridgeOptions,
  capacityLimits,
  caretakerOptions,
  credentialsSealer,
  drachtioListeners,
  drachtioServers,
  engineOptions,
  mediaOptions,
  realmOf,
  sessionTimerSettings,
} from './room-options.ts';
import { Sealer } from './sealing.ts';
import { TestReports } from './self-test/reports.ts';
import { SelfTests } from './self-test/self-tests.ts';
import { Caretaker } from './sessions/caretaker.ts';
import { EndedElsewhere } from './sessions/ended-elsewhere.ts';
import { IdempotencyKeys } from './sessions/idempotency-keys.ts';
import { Sessions } from './sessions/sessions.ts';
import { Transcripts } from './sessions/transcripts.ts';
import { Admission } from './sip/admission.ts';
import { EmbeddedEngine } from './sip/embedded-engine.ts';
import { prepareSession } from './sip/inbound-first.ts';
import type { ScannerDefence } from './sip/scanner-defence.ts';
import { SipApplication } from './sip/sip-application.ts';
import { type Engine, startEngine } from './sip-engine/engine.ts';
import { sharedSecret } from './store/secrets.ts';
import { openStore, type Store } from './store/store.ts';
import { tellOfCertificate } from './telemetry/certificate-report.ts';
import { EngineMeter } from './telemetry/engine-meter.ts';
import { KernelUdpWatch } from './telemetry/kernel-udp-watch.ts';
import type { Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { RecentRefusals } from './telemetry/recent-refusals.ts';
import { importOrganizations } from './telephony/configured-organizations.ts';
import { Registrations } from './telephony/registrations.ts';
import { Trunks } from './telephony/trunks.ts';
import { createWebhooks, type Webhooks } from './webhooks/webhooks.ts';

export interface Gateway {
  /** Where the REST API listens: `http://127.0.0.1:8080`. */
  readonly apiUrl: string;
  /** Where the SIP engine listens: `udp/127.0.0.1:5060`. */
  readonly hostports: readonly string[];
  /**
   * Takes no new sessions any more; those that are here go on, and get their other party. Resolves when none is left, after
   * `shutdown.drain_seconds`, or when nobody wants to wait any longer.
   */
  drain(impatience: AbortSignal): Promise<void>;
  /** Reads the files of the TLS certificate again; the log tells what is in use then. Calls go on. */
  reload(): void;
  /** Refuses new calls, hangs up the live ones and closes everything; idempotent. */
  stop(): Promise<void>;
}

/** How long a stop waits for BYEs to be answered and records to be kept. */
const SETTLE_MS = 3000;

/** What all rooms share. */
export interface Base {
  config: Config;
  log: Log;
  parts: Parts;
  metrics: Metrics;
  store: Store;
  refusals: RecentRefusals;
  /** Changed once, when the gateway is to stop. */
  state: { draining: boolean };
}

export type Calls = Awaited<ReturnType<typeof openCalls>>;

export interface Sip {
  sip: SipApplication;
  defence: ScannerDefence;
  /** The embedded engine, while it is up. */
  engine: () => Engine | undefined;
  capacity: CapacityWatch;
  /** Why no new call is taken now. */
  unavailable: (but?: 'rtp_ports') => 'draining' | 'overloaded' | undefined;
}

/** The gateway's parts, from the bottom to the top; `stop` takes them down the other way. @throws Error in plain words */
export async function startGateway(config: Config, log: Log): Promise<Gateway> {
  const parts = new Parts();
  const state = { draining: false };
  try {
    const metrics = parts.add(createMetrics());
    parts.add(new KernelUdpWatch(metrics, log));
    const store = parts.add(await openStore(config.store.url, clock.now(), storeListener(log, metrics)));
    metrics.beforeScrape(() => {
      metrics.store_up.set(store.isAvailable ? 1 : 0);
      metrics.store_writes_waiting.set(store.writing);
    });
    const base = { config, log, parts, metrics, store, refusals: new RecentRefusals(), state };
    const calls = await openCalls(base);
    const opened = await openSip(base, calls);
    const { sip } = opened;
    const apiUrl = await openApi(base, calls, opened);
    log.info({ api: apiUrl, sip: sip.hostports }, 'the gateway takes calls');
    const stop = async () => {
      state.draining = true;
      calls.bridges.hangUp();
      const reported = calls.selfTests.close(SETTLE_MS);
      await sip.settled();
      await calls.bridges.settled(SETTLE_MS);
      await reported;
      await parts.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      apiUrl,
      get hostports() {
        return sip.hostports;
      },
      drain: (impatience) => drain(base, calls.bridges, impatience),
      reload: () => reload(base, opened),
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

async function drain({ config, log, state }: Base, bridges: Bridges, impatience: AbortSignal): Promise<void> {
  state.draining = true;
  const seconds = config.shutdown.drain_seconds;
  log.info({ sessions: bridges.size, calls: bridges.calls, seconds }, 'draining: no new calls are taken');
  await bridges.drained(AbortSignal.any([impatience, AbortSignal.timeout(seconds * 1000)]));
}

/** Organizations and sessions, media and pipeline, and the bridges between them. */
async function openCalls(base: Base) {
  const { config, log, parts, metrics, store } = base;
  await importOrganizations(store, config.organizations, realmOf(config), credentialsSealer(config));
  const trunks = new Trunks(store);
  await trunks.reload();
  const sessions = new Sessions(store, clock, config.sip.domains[0] as string);
  const transcripts = new Transcripts(store, clock);
  const idempotencyKeys = new IdempotencyKeys(store, clock);
  const media = parts.add(await createMediaPool({ ...mediaOptions(config), log }));
  const tokenSecret = config.pipeline.token_secret ?? (await sharedSecret(store, 'pipeline_token'));
  const secrets = { tokenSecret, openaiKey: process.env.OPENAI_API_KEY };
  const links = parts.add(await openPipeline(config, secrets, clock, log));
  const meter = new TrafficMeter(metrics);
  const surroundings = { media, links, sessions, transcripts, metrics, meter, log, clock };
  const listeners: WordListener[] = [];
  const onWords: WordListener = (id, words) => {
    for (const listener of listeners) listener(id, words);
  };
  const bridges = new Bridges(createBridgeContext({ ...surroundings, ...bridgeOptions(config), onWords }));
  sessions.onEnded((session) => bridges.endSession(session.id));
  metrics.beforeScrape(() => collectTraffic(bridges, media, metrics, meter));
  const webhooks = await openWebhooks(base);
  sessions.onEvent(webhooks.wake);
  transcripts.onEvent(webhooks.wake);
  const kept = { sessions, transcripts, idempotencyKeys };
  const caretaking = caretakerOptions(config, bridges);
  parts.add(new Caretaker({ ...kept, clock, log, ...caretaking }));
  if (store.dialect === 'postgres') parts.add(new EndedElsewhere({ sessions, live: caretaking.live, log }));
  const selfTests = new SelfTests({
    ...{ media, reports: new TestReports(store, () => clock.now()), log, metrics, now: () => clock.now() },
    mediaTimeoutSeconds: config.media.timeout_seconds,
    testSeconds: config.sip.self_test.seconds,
    takePlace: (id, limit) => bridges.takePlace(id, limit),
    onCounted: (call, stats) => meter.addLeg(call, stats),
  });
  metrics.beforeScrape(() => selfTests.count());
  return { trunks, ...kept, bridges, webhooks, media, listeners, selfTests };
}

/** The delivery of events; what an earlier run left behind is on its way from here on. */
async function openWebhooks({ config, log, parts, metrics, store }: Base): Promise<Webhooks> {
  const own = await sharedSecret(store, 'sealing');
  const { encryption_key: key } = config.store;
  const sealer = key === undefined ? new Sealer(own) : new Sealer(key, own);
  const allowPrivate = config.webhooks.allow_private;
  return parts.add(createWebhooks({ store, sealer, clock, log, metrics, allowPrivate }));
}

/** Whether there is room for new calls. */
function watchCapacity(
  { config, log, parts, metrics }: Base,
  { bridges, media }: Calls,
  engine: () => Engine | undefined,
): CapacityWatch {
  const watch = new CapacityWatch({
    ...{ clock, log, metrics },
    limits: capacityLimits(config, media.usage().forNewSessions),
    calls: () => bridges.calls,
    portsInUse: () => media.usage().used,
    mediaWorkers: () => media.workers(),
    engineDelayMs: async () => (await engine()?.control.stats())?.delayMs,
  });
  return parts.add(watch);
}

/** The SIP engine, and the application that takes its calls. */
async function openSip(base: Base, calls: Calls): Promise<Sip> {
  const { trunks, sessions, bridges, selfTests } = calls;
  const { config, log, parts, metrics, store, refusals } = base;
  const now = () => clock.now();
  let engine: Engine | undefined;
  const capacity = watchCapacity(base, calls, () => engine);
  const unavailable = (but?: 'rtp_ports') =>
    base.state.draining ? 'draining' : capacity.isExhausted(but) ? 'overloaded' : undefined;
  const tellExempt = () => {
    const allowlists = [...trunks.all()].map(({ allowedIps }) => allowedIps);
    engine?.control.exemptNetworks(knownNetworks(allowlists, config.sip.trusted_proxies));
  };
  const admission = new Admission({
    config: config.sip,
    realm: realmOf(config),
    nonceKey: await sharedSecret(store, 'digest_nonce'),
    trunks,
    findSession: async (id) => {
      store.assertAvailable();
      return sessions.find(id);
    },
    newSession: (call) => {
      store.assertAvailable();
      return prepareSession(call, { sessions, log, now });
    },
    bridgeLive: (id) => bridges.isLive(id),
    unavailable,
    hostports: () => sip.hostports,
    silencer: () => engine?.control,
    clock: steadyClock(clock),
    metrics,
    log,
  });
  const start = async () => {
    const started = await startEngine(engineOptions(config));
    engine = started;
    tellExempt();
    started.onFault((stack) => log.error({ stack }, 'the SIP engine met an error of ours'));
    started.onCertificate((report) => tellOfCertificate(report, log, metrics, clock.now()));
    admission.defence.repeat();
    return started;
  };
  const embedded = new EmbeddedEngine(start, log);
  const sip: SipApplication = new SipApplication({
    ...{ admission, bridges, selfTests, refusals, metrics, log, now },
    registrations: new Registrations(store, now),
    sessionTimers: sessionTimerSettings(config),
    engines: config.sip.engine === 'drachtio' ? drachtioServers(config) : [embedded],
    listeners: config.sip.engine === 'drachtio' ? drachtioListeners(config) : [],
  });
  parts.add(sip);
  trunks.onChange(tellExempt);
  await sip.start();
  const meter = new EngineMeter(metrics);
  metrics.beforeScrape(() => metrics.engine_up.set(sip.isUp ? 1 : 0));
  metrics.beforeScrape(async () => engine && meter.add(engine, await engine.control.stats()));
  return { sip, defence: admission.defence, engine: () => engine, capacity, unavailable };
}

/** A drachtio-server has its own certificate. */
function reload({ log }: Base, { sip, engine }: Sip): void {
  const forEngines = sip.reload();
  const running = sip.hostports.some((one) => one.startsWith('tls/')) ? engine() : undefined;
  if (running !== undefined) running.control.reloadCertificate();
  else if (forEngines === 0) log.info('there is no TLS certificate to read again');
}

/** Losing the store costs new calls only; it comes back by itself. */
const storeListener = (log: Log, metrics: Metrics) => ({
  onAvailability: (available: boolean, error?: StoreUnavailable) =>
    available ? log.info('the store is back') : log.error({ reason: error?.message }, 'the store is lost'),
  onWritten: (ms: number, error?: unknown) => {
    if (error === undefined) metrics.store_write_seconds.observe(ms / 1000);
    else if (error instanceof StoreUnavailable) metrics.store_failures_total.inc();
  },
});
