import { RateLimits } from './api/rate-limits.ts';
import { createApi } from './api/server.ts';
import { Dials } from './bridge/dials.ts';
import { systemClock as clock, steadyClock } from './clock.ts';
import { ApiError } from './errors.ts';
import type { Base, Calls, Sip } from './gateway.ts';
import { isLegId } from './ids.ts';
import {
  apiAddress,
  carrierOptions,
  credentialsSealer,
  mediaFamily,
  ownSipAddress,
  publicUrl,
  realmOf,
  sipAddress,
  viewSettings,
} from './room-options.ts';
import type { SipApplication } from './sip/sip-application.ts';
import type { Engine } from './sip-engine/engine.ts';
import { sharedSecret } from './store/secrets.ts';
import { Streams } from './streams/streams.ts';
import { isConnectRequest } from './streams/upgrade.ts';
import { findApiCaller } from './telephony/api-keys.ts';
import { CarrierAccounts } from './telephony/carrier-accounts.ts';
import { Carriers } from './telephony/carriers.ts';
import { Connections } from './telephony/connections.ts';
import { Numbers } from './telephony/numbers.ts';
import { Organizations } from './telephony/organizations.ts';
import { OutboundTrunks } from './telephony/outbound-trunks.ts';
import { Registrations } from './telephony/registrations.ts';
import { readRoutingSettings } from './telephony/routing-settings.ts';
import { SipSettings } from './telephony/sip-settings.ts';
import type { Trunks } from './telephony/trunks.ts';

/** How soon a change of a trunk that another node made counts here. */
const TRUNKS_RELOAD_MS = 3000;

/** The REST API, and the streams that are opened at it. @returns where it listens */
export async function openApi(base: Base, calls: Calls, opened: Sip): Promise<string> {
  const { sip, defence, engine, capacity, unavailable } = opened;
  const { trunks, sessions, transcripts, idempotencyKeys, bridges, webhooks, selfTests } = calls;
  const { config, log, parts, metrics, store, refusals, state } = base;
  const telephony = openTelephony(base, trunks, sip);
  const streamSecret = await sharedSecret(store, 'stream_token');
  const streams = openStreams(base, calls, streamSecret, unavailable);
  const api = createApi({
    ...{ log, metrics, refusals, sessions, transcripts, webhooks, idempotencyKeys, selfTests },
    rateLimits: new RateLimits(config.api.rate_limit, steadyClock(clock)),
    legsOf: (id) => bridges.legsOf(id),
    unrecordedLegsOf: (id) => bridges.unrecordedLegsOf(id),
    bans: defence,
    banSeconds: config.sip.ban.for_seconds,
    registrations: new Registrations(store, () => clock.now()),
    sipTrace: (id) => sipTrace(base, calls, engine(), id),
    adminKey: config.api.admin_key,
    findCaller: (key) => findApiCaller(store, key),
    view: viewSettings(config, streamSecret, clock),
    routingSettings: (id) => readRoutingSettings(store, trunks, id),
    organizations: new Organizations(store, () => trunks.reloadSoon()),
    telephony,
    dialing: {
      dials: new Dials({
        ...{ bridges, dialer: sip, now: () => clock.now(), most: config.limits.max_dials },
        overloaded: () => capacity.isExhausted('rtp_ports'),
      }),
      outbound: telephony.outbound,
      trunkOf: (id) => trunks.ofOrganization(id),
      engineIsUp: () => sip.canDial,
      isOwn: ownSipAddress(config, () => sip.hostports),
      domain: config.sip.domains[0] as string,
      mediaFamily: mediaFamily(config),
    },
    carriers: {
      accounts: carrierAccounts(base, telephony.connections),
      trunkOf: (id) => trunks.ofOrganization(id),
      callsOf: (id) => bridges.callsOf(id),
      unavailable: () => unavailable('rtp_ports'),
      publicUrl: publicUrl(config),
    },
    upgrades: { isOurs: isConnectRequest, take: (...request) => streams.upgrade(...request) },
    // Where nodes share a database, another one takes the calls of what is made here.
    draining: () => state.draining && store.dialect === 'sqlite',
    capacity: () => capacity.report(),
    notReady: () => {
      const reasons: (string | undefined)[] = [unavailable()];
      if (!sip.isUp) reasons.push('engine_lost');
      if (!store.isAvailable) reasons.push('store_unavailable');
      return reasons.filter((reason) => reason !== undefined);
    },
  });
  const url = await api.listen(apiAddress(config));
  parts.add(api);
  // The API is not closed before its WebSockets are.
  parts.add(streams);
  return url;
}

/** The clients of sessions' streams. */
function openStreams(
  { metrics, log, store }: Base,
  { trunks, sessions, bridges, listeners }: Calls,
  tokenSecret: string,
  unavailable: Sip['unavailable'],
): Streams {
  const streams = new Streams({
    ...{ bridges, sessions, metrics, log, clock, tokenSecret },
    organizationOf: (id) => trunks.ofOrganization(id),
    // As with SIP, whose session is up here comes in all the same.
    unavailable: (id) => (bridges.isLive(id) ? undefined : unavailable('rtp_ports')),
    assertStore: () => store.assertAvailable(),
  });
  listeners.push((id, words) => streams.heard(id, words));
  sessions.onEnded((session) => streams.sessionEnded(session));
  return streams;
}

/** The SIP messages of a call, by the id of its leg or by its Call-ID. @throws ApiError `trace_not_available` */
async function sipTrace(
  { config }: Base,
  { bridges, sessions }: Calls,
  engine: Engine | undefined,
  id: string,
) {
  if (config.sip.engine === 'drachtio') throw new ApiError('trace_not_available');
  const ofLeg = isLegId(id)
    ? (bridges.findLeg(id)?.facts.callId ?? (await sessions.callIdOf(id)))
    : undefined;
  // What an engine kept is gone with it.
  return engine?.control.trace(ofLeg ?? id).catch(() => undefined);
}

/** The organizations' telephony settings. */
function openTelephony({ config, store, parts, log }: Base, trunks: Trunks, sip: SipApplication) {
  const now = () => clock.now();
  const carriers = parts.add(new Carriers(carrierOptions(config)));
  const sealer = credentialsSealer(config);
  // Another node may have changed a trunk, or a change of ours could not be read back.
  const failed = (error: unknown) => log.warn({ err: error }, 'the trunks could not be read again');
  parts.add(trunks.follow(TRUNKS_RELOAD_MS, failed));
  return {
    numbers: new Numbers(store, config.telephony.inventory, now),
    connections: new Connections({
      store,
      sealer,
      verify: (credentials) => carriers.verify(credentials),
      now,
    }),
    sip: new SipSettings({ store, trunks, realm: realmOf(config) }),
    outbound: new OutboundTrunks({ store, sealer }),
    sipAddress: sipAddress(config, () => sip.hostports),
    publicUrl: publicUrl(config),
  };
}

/** Whose carrier accounts voice webhooks come from. */
const carrierAccounts = ({ store, config: { telephony } }: Base, connections: Connections) =>
  new CarrierAccounts({
    store,
    open: (connection) => connections.open(connection),
    operator: { twilioAuthToken: telephony.twilio_auth_token, telnyxPublicKey: telephony.telnyx_public_key },
    now: () => clock.now(),
  });
