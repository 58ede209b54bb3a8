import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { Allowlist } from './admission/allowlist.ts';
import type { ViewSettings } from './api/session-view.ts';
import type { SipAddress } from './api/telephony-sip-routes.ts';
import type { Bridges } from './bridge/bridges.ts';
import { silentSessions } from './bridge/traffic.ts';
import type { Resource } from './capacity/capacity.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/config.ts';
import { LOCAL_SERVER } from './config/drachtio.ts';
import { type Listen, parseHostPort, parseListen, parsePortRange } from './config/values.ts';
import type { MediaPoolOptions } from './media/media-pool.ts';
import { openWaitingSound } from './media/waiting-file.ts';
import { Sealer } from './sealing.ts';
import type { CaretakerOptions } from './sessions/caretaker.ts';
import type { EngineSource } from './sip/engine-link.ts';
import type { ListenerOptions } from './sip/engine-listener.ts';
import type { SessionTimerSettings } from './sip/session-timer.ts';
import type { EngineOptions } from './sip-engine/engine.ts';
import { VERY_LATE_MS } from './sip-engine/load.ts';
import { ownAddresses } from './sip-engine/own-address.ts';
import type { TlsSettings } from './sip-engine/tls-settings.ts';
import type { CarriersOptions } from './telephony/carriers.ts';
import type { IsOwn } from './telephony/destination.ts';

/** What each room takes from the configuration. */

/** Digest realm: `sip.realm`, or the first domain. */
export const realmOf = ({ sip }: Config): string => sip.realm ?? (sip.domains[0] as string);

export const apiAddress = ({ api }: Config) => parseHostPort(api.listen) as { host: string; port: number };

/** @throws Error when the file of `session.waiting` cannot be used */
export function bridgeOptions({ media, session, pipeline, limits }: Config) {
  return {
    mediaTimeoutSeconds: media.timeout_seconds,
    rejoinSeconds: session.rejoin_seconds,
    waitingSound: openWaitingSound(session.waiting),
    mixOriginalDb: session.mix_original_db ?? null,
    onFailure: pipeline.on_failure,
    maxCalls: limits.max_calls,
  };
}

/** @param pairsForNewSessions of RTP ports */
export function capacityLimits({ limits }: Config, pairsForNewSessions: number): Record<Resource, number> {
  return {
    calls: limits.max_calls,
    rtp_ports: pairsForNewSessions,
    event_loop_delay_ms: limits.event_loop_delay_ms,
    // From here on the engine itself refuses everybody.
    engine_delay_ms: VERY_LATE_MS,
    media_delay_ms: limits.media_delay_ms,
    media_busy_percent: limits.media_busy_percent,
    memory_percent: limits.memory_percent,
  };
}

export function mediaOptions({ media, limits }: Config): Omit<MediaPoolOptions, 'log'> {
  return {
    bindAddress: media.address,
    advertisedAddress: media.advertised_address,
    ports: parsePortRange(media.ports) as { from: number; to: number },
    newSessionsPercent: limits.rtp_ports_percent,
    workers: media.workers,
    sockets: media.sockets,
  };
}

/** Of the media that we offer where nothing tells what the peer can use: IPv6 only where there is nothing else. */
export const mediaFamily = ({ media }: Config): 4 | 6 =>
  isIPv6(media.address) && media.address !== '::' ? 6 : 4;

export function engineOptions({ sip }: Config): EngineOptions {
  return {
    listen: sip.listen.map((text) => parseListen(text) as Listen),
    advertisedAddress: sip.advertised_address,
    dnsServers: sip.dns_servers,
    hep: sip.hep && { ...sip.hep, captureId: sip.hep.capture_id },
    minSessionSeconds: sip.min_session_expires_seconds,
    tls: tlsOptions(sip),
  };
}

/** A longest interval below the shortest one gives way. */
export const sessionTimerSettings = ({ sip }: Config): SessionTimerSettings => ({
  expiresSeconds: Math.max(sip.session_expires_seconds, sip.min_session_expires_seconds),
  minSeconds: sip.min_session_expires_seconds,
});

/** @returns undefined where no TLS is listened on; the configuration sees to it that there is a certificate where it is */
function tlsOptions({ listen, tls }: Config['sip']): TlsSettings | undefined {
  const { certificate, key, ca, client_certificates, min_version: minVersion } = tls;
  if (!listen.some((one) => one.startsWith('tls:')) || !certificate || !key) return undefined;
  const clientCertificates = client_certificates ?? (ca === undefined ? 'off' : 'optional');
  return { certificate, key, ca, clientCertificates, minVersion };
}

/** The drachtio-servers that we connect to; they run and die without us. */
export const drachtioServers = ({ sip }: Config): EngineSource[] =>
  sip.drachtio
    .filter(({ host, listen }) => host !== undefined || listen === undefined)
    .map(({ host = LOCAL_SERVER, port, secret, tags, tls, ca, server_name: servername }) => ({
      name: `${host}:${port}`,
      limited: true,
      // The CA is read anew for each connection.
      locate: async () => ({
        ...{ host, port, secret, tags },
        tls: tls ? { servername, ca: ca && readFileSync(ca) } : undefined,
      }),
      close: async () => undefined,
    }));

/** Where drachtio-servers connect to us. */
export const drachtioListeners = ({ sip }: Config): ListenerOptions[] =>
  sip.drachtio.flatMap(({ secret, tags, listen }) => {
    if (listen === undefined) return [];
    const { address, port, allowed_ips, certificate, key } = listen;
    const tls = () => ({ cert: readFileSync(certificate as string), key: readFileSync(key as string) });
    const allowed = new Allowlist(allowed_ips);
    return [{ address, port, secret, tags, allowed, tls: certificate === undefined ? undefined : tls }];
  });

export function caretakerOptions(
  { session }: Config,
  bridges: Bridges,
): Pick<CaretakerOptions, 'unusedMinutes' | 'rejoinSeconds' | 'transcriptDays' | 'live' | 'silent'> {
  return {
    unusedMinutes: session.unused_minutes,
    rejoinSeconds: session.rejoin_seconds,
    transcriptDays: session.transcript_days,
    live: () => [...bridges.all()].map((bridge) => bridge.session.id),
    silent: () => silentSessions(bridges, session.silent_minutes * 60_000),
  };
}

/** How long a carrier has to answer. */
const CARRIER_TIMEOUT_MS = 10_000;

export const carrierOptions = ({ telephony }: Config): CarriersOptions => ({
  twilioUrl: telephony.twilio_url.replace(/\/+$/, ''),
  telnyxUrl: telephony.telnyx_url.replace(/\/+$/, ''),
  timeoutMs: CARRIER_TIMEOUT_MS,
});

/**
 * How PBXs reach us, on the port of the engine: at the advertised address, else by the domain's name; over TLS by that name
 * always, because it is what a certificate is for.
 */
export function sipAddress(config: Config, hostports: () => readonly string[]): SipAddress {
  const domain = config.sip.domains[0] as string;
  const host = config.sip.advertised_address ?? domain;
  const portOf = (transport: string) =>
    /:(\d+)$/.exec(hostports().find((one) => one.startsWith(`${transport}/`)) ?? '')?.[1];
  return {
    domain,
    realm: realmOf(config),
    gateway: (transport) => {
      const port = portOf(transport);
      if (transport === 'tls') return port && `${domain}:${port}`;
      return `${isIPv6(host) ? `[${host}]` : host}:${port ?? '5060'}`;
    },
  };
}

/** Whether a SIP URI's host and port are ours: a domain of the sessions, or where the engine listens. */
export function ownSipAddress({ sip }: Config, hostports: () => readonly string[]): IsOwn {
  const domains = new Set(sip.domains.map((domain) => domain.toLowerCase()));
  const listening = sip.listen.map((text) => text.replace(':', '/'));
  return (host, port) => {
    if (domains.has(host)) return true;
    const address = host.replace(/^\[(.*)\]$/, '$1');
    // As the engine says: at the advertised address, where there is one.
    const isOwn = ownAddresses(...listening, ...hostports());
    return (['udp', 'tcp'] as const).some((transport) => isOwn({ transport, address, port }));
  };
}

/**
 * How clients and carriers reach the API, without a slash at its end. Listening on all addresses is no address to call; a
 * gateway that is reached from elsewhere knows its public one.
 */
export function publicUrl({ api }: Config): string {
  const listen = api.listen.replace(/^0\.0\.0\.0(?=:)/, '127.0.0.1').replace(/^\[::\]/, '[::1]');
  return (api.public_url ?? `http://${listen}`).replace(/\/+$/, '');
}

export function viewSettings(config: Config, streamSecret: string, clock: Clock): ViewSettings {
  return {
    sipDomain: config.sip.domains[0] as string,
    streamBase: `${publicUrl(config).replace(/^http/, 'ws')}/v1`,
    streamSecret,
    now: () => clock.now(),
  };
}

/** Seals what carriers trust the organizations with; there is none without a key of the operator's. */
export const credentialsSealer = ({ store: { encryption_key: key } }: Config) =>
  key === undefined ? undefined : new Sealer(key);
