import { MULAW_8K } from '../../src/audio/format.ts';
import { Bridges } from '../../src/bridge/bridges.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { RtpPort } from '../../src/media/media-port.ts';
import type { PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import type { Session } from '../../src/sessions/session.ts';
import { Admission } from '../../src/sip/admission.ts';
import { EmbeddedEngine } from '../../src/sip/embedded-engine.ts';
import { SipApplication } from '../../src/sip/sip-application.ts';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { RecentRefusals } from '../../src/telemetry/recent-refusals.ts';
import { tlsSettings } from '../support/certificates.ts';
import { noKeyReports, noStats, noStreams, noTranscripts, plainBridge } from '../support/fake-rooms.ts';
import type { CallTransportName } from './call-transport.ts';

/**
 * Signalling alone, as a process that is measured: the engine in its thread, drachtio-srf, admission, SDP and bridges as
 * they are; media, links and records are stubs that cost nothing. Every id is a session. Tells its parent where it
 * listens.
 */
const transport = process.argv[2] as CallTransportName;
const MAX_CALLS = 100_000;

const port = {
  address: '127.0.0.1',
  rtpPort: 20_000,
  configure: () => undefined,
  hear: () => undefined,
  startSending: () => undefined,
  stats: () => noStats,
  close: async () => noStats,
} as unknown as RtpPort;

const link = {
  open: async () => undefined,
  attach: () => undefined,
  startPlaying: () => undefined,
  detach: () => undefined,
  setHeld: () => undefined,
  stats: () => ({}),
  close: async () => undefined,
} as unknown as PipelineLink;

const session: Omit<Session, 'id'> = {
  ...({ organizationId: 'load', status: 'created', mode: 'ai_agent', provider: 'sip' } as const),
  ...{ sourceLanguage: null, targetLanguage: null, routing: null, phoneNumber: null, connectionId: null },
  ...{
    metadata: null,
    aiAgent: null,
    translation: null,
    mixOriginalDb: null,
    createdAt: 0,
    startedAt: null,
    endedAt: null,
    endReason: null,
  },
};

const trunk = {
  ...{ organizationId: 'load', active: true, sipEnabled: true, credentials: null, allowedIps: ['127.0.0.1'] },
  ...{ requireDigest: false, tlsRequired: false, tlsCertificates: [], concurrencyLimit: MAX_CALLS },
  ...{
    mediaTimeoutSeconds: null,
    codecs: null,
    inboundFirst: false,
    sessionDefaults: {},
    srtp: 'off' as const,
  },
};

const config = parseConfig({ organizations: [] });
const log = createLog('info');
const metrics = createMetrics();
const now = () => clock.now();
let engine: Engine | undefined;

const bridges = new Bridges({
  media: {
    ...noStreams,
    open: async () => port,
    workers: () => [],
    deaths: 0,
    usage: () => ({ used: 0, total: 1, forNewSessions: 1 }),
    close: async () => undefined,
  },
  links: { inputFormat: () => MULAW_8K, create: () => link, close: async () => undefined },
  ...{
    log,
    now,
    mediaTimeoutSeconds: 60,
    rejoinSeconds: 0,
    waitingSound: { kind: 'silence' },
    maxCalls: MAX_CALLS,
    ...plainBridge,
  },
  hasEnded: async () => false,
  sessionStarted: () => undefined,
  sessionCompleted: () => undefined,
  legRinging: () => undefined,
  legAnswered: () => undefined,
  keepRecord: async () => undefined,
  linkClosed: () => undefined,
  keys: noKeyReports,
  written: async () => undefined,
  transcripts: noTranscripts,
});
const admission = new Admission({
  ...{ config: config.sip, realm: 'load', nonceKey: 'load', clock, metrics, log },
  trunks: { version: 1, all: () => [trunk], ofOrganization: () => trunk, ofUsername: () => undefined },
  findSession: async (id) => ({ id, ...session }),
  newSession: () => {
    throw new Error('no inbound-first calls here');
  },
  bridgeLive: (id) => bridges.isLive(id),
  unavailable: () => undefined,
  hostports: () => sip.hostports,
  silencer: () => engine?.control,
});
async function start() {
  const tls = transport === 'tls' ? tlsSettings({ clientCertificates: 'off' }) : undefined;
  engine = await startEngine({ listen: [{ transport, host: '127.0.0.1', port: 0 }], tls });
  engine.onExit(() => process.exit(1));
  engine.control.exemptNetworks(['127.0.0.1/32']);
  return engine;
}
const sip: SipApplication = new SipApplication({
  ...{ admission, bridges, metrics, log, now, refusals: new RecentRefusals() },
  selfTests: {
    reserve: () => {
      throw new Error('no self-tests here');
    },
  },
  registrations: { update: async () => undefined },
  sessionTimers: { expiresSeconds: 1_800, minSeconds: 90 },
  engines: [new EmbeddedEngine(start, log)],
  listeners: [],
});
await sip.start();
process.send?.({ sip: sip.hostports });
process.on('disconnect', () => process.exit(0));
