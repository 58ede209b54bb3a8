import type { Updateable } from 'kysely';
import { createBridgeContext } from '../../src/bridge/bridge-context.ts';
import { Bridges } from '../../src/bridge/bridges.ts';
import type { Dialer, OutboundCall } from '../../src/bridge/dialer.ts';
import { Dials } from '../../src/bridge/dials.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import { TrafficMeter } from '../../src/bridge/traffic-meter.ts';
import type { Schema } from '../../src/store/schema.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { type NewOutbound, OutboundTrunks } from '../../src/telephony/outbound-trunks.ts';
import { Trunks } from '../../src/telephony/trunks.ts';
import { FakeLinks, FakeMedia, plainBridge } from '../support/fake-rooms.ts';
import { openApi } from './api-fixture.ts';

/** Where `acme` may call in these tests. */
const outbound: NewOutbound = {
  ...{ enabled: true, host: 'carrier.example', transport: 'udp', caller_id: '+14155550100' },
  ...{ allowed_numbers: ['+49'], allowed_domains: ['pbx.example.com'] },
};

/** A call that a dial has placed; the test is the callee. */
export class PlacedByTest {
  readonly leg: Leg;
  readonly call: OutboundCall;
  readonly #over: () => void;

  constructor(leg: Leg, call: OutboundCall, over: () => void) {
    this.leg = leg;
    this.call = call;
    this.#over = over;
  }

  ring(): void {
    this.leg.reached({ sourceAddress: '192.0.2.9', transport: 'udp' }, 180);
  }

  answer(): void {
    this.leg.reached({ sourceAddress: '192.0.2.9', transport: 'udp' }, 200);
    this.leg.answered({ hangUp: async () => undefined, press: async () => true });
    this.#over();
  }

  fail(status: number): void {
    this.leg.dialFailed(status);
    this.#over();
  }
}

/** The API with real bridges and a real store, and a dialer in the hands of the test. */
export async function openDialApi({ most = 10, file }: { most?: number; file?: string } = {}) {
  const calls: PlacedByTest[] = [];
  const state = { engineIsUp: true, overloaded: false };
  const dialer: Dialer = {
    get canDial() {
      return state.engineIsUp;
    },
    place: async (leg, call) => {
      await leg.start({ family: 4, onWaiting: () => undefined });
      const over = Promise.withResolvers<void>();
      leg.signal.addEventListener('abort', () => over.resolve());
      calls.push(new PlacedByTest(leg, call, over.resolve));
      await over.promise;
    },
  };
  let bridges!: Bridges;
  let trunks!: Trunks;
  let settings!: OutboundTrunks;
  const legsOf = (id: Parameters<Bridges['legsOf']>[0]) => bridges.legsOf(id);
  const api = await openApi({
    ...(file !== undefined && { file }),
    legsOf,
    parts: ({ store, sessions, transcripts, clock }) => {
      const metrics = createMetrics();
      bridges = new Bridges(
        createBridgeContext({
          ...{ media: new FakeMedia(), links: new FakeLinks(), sessions, transcripts, metrics, clock },
          ...{ meter: new TrafficMeter(metrics), log: createLog('silent') },
          ...{
            mediaTimeoutSeconds: 60,
            rejoinSeconds: 30,
            waitingSound: { kind: 'silence' as const },
            maxCalls: 20,
            ...plainBridge,
          },
        }),
      );
      sessions.onEnded(({ id }) => bridges.endSession(id));
      trunks = new Trunks(store);
      settings = new OutboundTrunks({ store, sealer: undefined });
      const dialing = {
        dials: new Dials({
          bridges,
          dialer,
          now: () => clock.now(),
          most,
          overloaded: () => state.overloaded,
        }),
        ...{ outbound: settings, isOwn: () => false, domain: 'sip.kallglot.com' },
        mediaFamily: 4 as const,
        trunkOf: (id: string) => trunks.ofOrganization(id),
        engineIsUp: () => state.engineIsUp,
      };
      return { dialing, unrecordedLegsOf: (id) => bridges.unrecordedLegsOf(id) };
    },
  });
  await trunks.reload();
  await api.store.db.updateTable('organizations').set({ managed_by: 'api' }).execute();
  await settings.replace('acme', outbound);
  return {
    ...api,
    calls,
    bridges,
    engine: state,
    changeTrunk: async (change: Updateable<Schema['organizations']>) => {
      await api.store.db.updateTable('organizations').set(change).where('id', '=', 'acme').execute();
      await trunks.reload();
    },
    dial: (id: string, body: unknown, headers?: Record<string, string>) =>
      api.request('POST', `/v1/sessions/${id}/dial`, { body, ...(headers && { headers }) }),
    callsOf: async (id: string) => (await api.request('GET', `/v1/sessions/${id}/calls`)).json().data,
    /** Resolves when so many calls have been placed. */
    placed: async (count: number): Promise<PlacedByTest> => {
      while (calls.length < count) await new Promise((resolve) => setImmediate(resolve));
      return calls[count - 1] as PlacedByTest;
    },
  };
}
export type DialApi = Awaited<ReturnType<typeof openDialApi>>;
