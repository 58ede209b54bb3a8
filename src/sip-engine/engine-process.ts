import { randomBytes } from 'node:crypto';
import { asksForNew } from './arrival.ts';
import { defaultLimits, type EngineLimits } from './context.ts';
import { createEngineCore, type EngineCore } from './core.ts';
import { systemDns } from './dns.ts';
import { openDrachtioServer } from './drachtio-server.ts';
import { Faults } from './faults.ts';
import { type HepSettings, openHepSender } from './hep-sender.ts';
import { InputQueue } from './input-queue.ts';
import { LoadProbe } from './load-probe.ts';
import type { SipMessage, SipParseError } from './message.ts';
import { DnsResolver } from './resolve.ts';
import { newStats } from './stats.ts';
import { systemEngineClock } from './timers.ts';
import { type CertificateInUse, type CertificateReport, TlsCertificate } from './tls-certificate.ts';
import type { TlsSettings } from './tls-settings.ts';
import { Trace } from './trace.ts';
import type { Flow, TransportEvents } from './transport.ts';
import { type ListenAddress, listeningOn, openTransportLayer } from './transport-layer.ts';
import { wireMessage } from './wire-message.ts';

/** What a running engine needs to know; plain data, so that it can go to a worker. */
export interface EngineSettings {
  listen: ListenAddress[];
  advertisedAddress?: string;
  /** DNS servers, `ADDRESS` or `ADDRESS:PORT`; absent: those of the system. */
  dnsServers?: string[];
  /** The Homer server that gets copies of all messages; absent: none does. */
  hep?: HepSettings;
  limits?: Partial<EngineLimits>;
  /** Needed where `listen` has a `tls` address. */
  tls?: TlsSettings | undefined;
  /** The shortest session interval that a peer may ask for in a dialog (RFC 4028); absent: 90 s. */
  minSessionSeconds?: number;
}

/** A whole engine with its sockets, in the thread that calls. */
export interface RunningEngine {
  readonly core: EngineCore;
  readonly trace: Trace;
  /** Where applications connect, on 127.0.0.1, and what they have to say. */
  readonly port: number;
  readonly secret: string;
  readonly hostports: string[];
  /** Absent without TLS. */
  readonly certificate: CertificateInUse | undefined;
  reloadCertificate(): void;
  close(): Promise<void>;
}

/** What a running engine has to say beside its answers. */
export interface EngineReports {
  /** An error of the engine itself, with its stack. */
  fault?(stack: string): void;
  /** What has changed since the start. */
  certificate?(report: CertificateReport): void;
}

/** @throws Error naming the address that cannot be bound, or the file that cannot be used */
export async function runEngine(
  settings: EngineSettings,
  reports: EngineReports = {},
): Promise<RunningEngine> {
  const limits = { ...defaultLimits, ...settings.limits };
  const stats = newStats();
  const faults = new Faults(systemEngineClock, stats, (stack) => reports.fault?.(stack));
  const clock = faults.clock();
  const { listen, advertisedAddress, dnsServers = [], minSessionSeconds, tls } = settings;
  const dns = systemDns(dnsServers);
  const resolver = new DnsResolver({ dns, listening: listeningOn(listen), clock, stats });
  const core = createEngineCore({ clock, resolver, limits, stats, minSessionSeconds });
  const trace = new Trace(clock, stats, (callId) => core.hasCall(callId));
  const hep = settings.hep && openHepSender(settings.hep, stats);
  const input = new InputQueue({
    ...{ clock, stats, limits },
    isKnown: (address) => core.isKnown(address),
    isExempt: (address) => core.exemptions.has(address),
    soon: (action) => void setImmediate(faults.guard(action)),
  });
  const probe = new LoadProbe(clock, core.load, () => input.takeDelayMs());
  const handle = faults.guard((message: SipMessage, flow: Flow) => core.message(message, flow));
  const refuse = faults.guard((error: SipParseError, flow: Flow, answered?: () => void) => {
    core.unreadable(error, flow);
    answered?.();
  });
  const events: TransportEvents = {
    onWire: faults.guard((direction, bytes, flow) => {
      const message = wireMessage(direction, bytes, flow, clock.now());
      trace.add(message);
      hep?.send(message);
    }),
    arrive: (arrival) => input.take(arrival),
    message: (message, flow) => {
      // A datagram has had its turn; what a connection has brought gets it now.
      if (!flow.reliable) handle(message, flow);
      else input.take({ flow, isNew: () => asksForNew(message), handle: () => handle(message, flow) });
    },
    unreadable: (error, flow, answered) => {
      if (!flow.reliable) refuse(error, flow);
      else input.take({ flow, isNew: () => true, handle: () => refuse(error, flow, answered) });
    },
    hears: (address) => core.hears(address),
    admits: (address) => core.admits(address),
    isExempt: (address) => core.exemptions.has(address),
    inUse: (flow) => core.inUse(flow),
  };
  const certificate =
    tls && (await TlsCertificate.open(tls, stats, clock, (report) => reports.certificate?.(report)));
  const transport = await openTransportLayer(
    { listen, advertisedAddress, streamLimits: limits.streams, handshakes: certificate?.handshakes },
    events,
    stats,
    clock,
  ).catch((error: unknown) => {
    certificate?.close();
    throw error;
  });
  core.attach(transport);
  const secret = randomBytes(24).toString('hex');
  const server = await openDrachtioServer(core, secret, faults).catch(async (error: unknown) => {
    certificate?.close();
    await transport.close();
    throw error;
  });
  return {
    core,
    trace,
    port: server.port,
    secret,
    hostports: transport.hostports,
    certificate: certificate?.inUse,
    reloadCertificate: () => void certificate?.reload(true),
    async close() {
      certificate?.close();
      probe.close();
      // Applications first: their calls get a BYE, which still has to leave by the sockets.
      await server.close();
      input.close();
      await transport.close();
      core.close();
      hep?.close();
    },
  };
}
