import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { createApi } from './api/server.ts';
import { createBridgeContext } from './bridge/bridge-context.ts';
import { Bridges } from './bridge/bridges.ts';
import { collectTraffic } from './bridge/traffic.ts';
import { TrafficMeter } from './bridge/traffic-meter.ts';
import { systemClock as clock } from './clock.ts';
import { type Config, ConfigError, loadConfig } from './config/config.ts';
import { parseHostPort } from './config/values.ts';
import { createMediaPool } from './media/media-pool.ts';
import { Parts } from './parts.ts';
import { openPipeline } from './pipeline/pipeline.ts';
import { caretakerOptions, engineOptions, mediaOptions, remoteEngine, viewSettings } from './room-options.ts';
import { startCaretaker } from './sessions/caretaker.ts';
import { Sessions } from './sessions/sessions.ts';
import { Admission } from './sip/admission.ts';
import { SipApplication } from './sip/sip-application.ts';
import { type Engine, startEngine } from './sip-engine/engine.ts';
import { sharedSecret } from './store/secrets.ts';
import { openStore } from './store/store.ts';
import { EngineMeter } from './telemetry/engine-meter.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
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

const STOP_WITHIN_MS = 10_000;

/** The gateway's parts, from the bottom to the top; `stop` takes them down the other way. @throws Error in plain words */
export async function startGateway(config: Config, log: Log): Promise<Gateway> {
  const parts = new Parts();
  let draining = false;
  try {
    const metrics = parts.add(createMetrics());
    const store = parts.add(await openStore(config.store.url, clock.now()));
    const secret = (name: string) => sharedSecret(store, name);
    const realm = config.sip.realm ?? (config.sip.domains[0] as string);
    await importOrganizations(store, config.organizations, realm);
    const trunks = new Trunks(store);
    await trunks.reload();
    const sessions = new Sessions(store, clock);

    const media = parts.add(await createMediaPool({ ...mediaOptions(config), log }));
    const tokenSecret = config.pipeline.token_secret ?? (await secret('pipeline_token'));
    const links = parts.add(await openPipeline(config.pipeline, tokenSecret, clock, log));

    const meter = new TrafficMeter(metrics);
    const times = {
      mediaTimeoutSeconds: config.media.timeout_seconds,
      rejoinSeconds: config.session.rejoin_seconds,
    };
    const bridges = new Bridges(
      createBridgeContext({ media, links, sessions, metrics, meter, log, clock, ...times }),
    );
    sessions.onEnded((session) => bridges.endSession(session.id));
    metrics.beforeScrape(() => collectTraffic(bridges, media, metrics, meter));
    parts.add(startCaretaker({ sessions, clock, log, ...caretakerOptions(config, bridges) }));

    const unavailable = () => {
      if (draining) return 'draining' as const;
      return bridges.calls >= config.limits.max_calls ? ('overloaded' as const) : undefined;
    };
    let engine: Engine | undefined;
    const admission = new Admission({
      config: config.sip,
      realm,
      nonceKey: await secret('digest_nonce'),
      trunks,
      findSession: (id) => sessions.find(id),
      bridgeLive: (id) => bridges.isLive(id),
      unavailable,
      hostports: () => sip.hostports,
      ban: (address, forMs) => engine?.control.ban(address, forMs),
      clock,
      metrics,
      log,
    });
    const refusals = new RecentRefusals();
    const sip: SipApplication = new SipApplication({
      admission,
      bridges,
      registrations: new Registrations(store, () => clock.now()),
      refusals,
      metrics,
      log,
      now: () => clock.now(),
      onEngineLost: () => bridges.engineLost(),
      openEngine: async () => {
        if (config.sip.engine === 'drachtio') return remoteEngine(config.sip.drachtio);
        engine = await startEngine(engineOptions(config));
        engine.onFault((error) => log.error({ err: error }, 'the SIP engine met an error of ours'));
        return engine;
      },
    });
    parts.add(sip);
    await sip.start();
    const engineMeter = new EngineMeter(metrics);
    metrics.beforeScrape(async () => engine && engineMeter.add(engine, await engine.control.stats()));

    const api = createApi({
      log,
      metrics,
      refusals,
      sessions,
      adminKey: config.api.admin_key,
      findCaller: (key) => findApiCaller(store, key),
      view: viewSettings(config, await secret('stream_token'), clock),
      routingSettings: (id) => ({
        sipEnabled: trunks.ofOrganization(id)?.sipEnabled ?? false,
        numbers: [],
        connections: [],
      }),
      draining: () => draining,
      notReady: () =>
        [unavailable(), sip.isUp ? undefined : 'engine_lost'].filter((reason) => reason !== undefined),
    });
    const apiUrl = await api.listen(parseHostPort(config.api.listen) as { host: string; port: number });
    parts.add(api);
    log.info({ api: apiUrl, sip: sip.hostports }, 'the gateway takes calls');
    return {
      apiUrl,
      hostports: sip.hostports,
      stop: async () => {
        draining = true;
        await bridges.drain();
        await parts.close();
      },
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** `npm start -- --config FILE`: the gateway as a process, until SIGTERM or SIGINT. */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const config = loadConfig(values.config, process.env);
  const log = createLog(config.log.level);
  const gateway = await startGateway(config, log);
  closeWithGrace({ delay: STOP_WITHIN_MS, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after an error that nobody caught');
    else log.info({ signal }, 'stopping');
    await gateway.stop();
  });
}

if (import.meta.main) {
  run().catch((error: unknown) => {
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
    process.exit(1);
  });
}
