import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AudioRing } from '../../src/audio/ring.ts';
import { Bridges, type Reservation } from '../../src/bridge/bridges.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import type { EndReason, Refusal } from '../../src/errors.ts';
import type { MediaEvent, MediaPort, MediaSettings, MediaStats } from '../../src/media/media-port.ts';
import type { LinkEvent, PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import type { Session } from '../../src/sessions/session.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { noKeyReports } from '../support/fake-rooms.ts';

const sessionOf = (id: string, mode = 'bidirectional_translation') =>
  ({ id: `sess_${id}`, organizationId: 'acme', mode }) as unknown as Session;

/** Bridges over media and pipeline that do nothing but tell what is asked of them. */
class House {
  now = 0;
  silentForMs = 0;
  /** What the closing of a link waits for. */
  closesWhen: Promise<void> | undefined;
  /** What the counters of a port show besides. */
  counted: Partial<MediaStats> = {};
  readonly warnings: string[] = [];
  readonly completed: { id: string; at: number }[] = [];
  readonly reasons: EndReason[] = [];
  readonly links: { open: number; events: ((event: LinkEvent) => void)[] } = { open: 0, events: [] };
  readonly media: ((event: MediaEvent) => void)[] = [];
  readonly started: string[] = [];
  readonly heard: string[] = [];
  readonly bridges: Bridges;

  constructor(limits: { maxCalls?: number } = {}) {
    this.bridges = new Bridges({
      media: {
        open: async ({ onEvent }) => {
          this.media.push(onEvent);
          return this.#port();
        },
        usage: () => ({ used: 0, total: 0 }),
        close: async () => undefined,
      },
      links: {
        create: ({ onEvent }) => {
          this.links.events.push(onEvent);
          return this.#link();
        },
        close: async () => undefined,
      },
      log: Object.assign(createLog('silent'), {
        warn: (_details: object, words: string) => void this.warnings.push(words),
      }),
      now: () => this.now,
      mediaTimeoutSeconds: 60,
      rejoinSeconds: 30,
      waitingSound: { kind: 'silence' },
      maxCalls: limits.maxCalls ?? 100,
      hasEnded: async () => false,
      sessionStarted: ({ id }) => this.started.push(id),
      sessionCompleted: ({ id }, at) => {
        this.completed.push({ id, at });
        this.heard.push('completed');
      },
      legAnswered: () => undefined,
      keepRecord: async (_leg, record) => {
        this.reasons.push(record.reason);
        this.heard.push('record');
      },
      linkClosed: () => undefined,
      keys: noKeyReports,
      legRinging: () => undefined,
      written: async () => undefined,
      transcripts: {
        heard: (id, { text }) => void this.heard.push(`${id}: ${text}`),
        over: async (id) => void this.heard.push(`over ${id}`),
      },
    });
  }

  #port(): MediaPort {
    return {
      address: '127.0.0.1',
      rtpPort: 20_000,
      inbound: AudioRing.create(1024),
      outbound: AudioRing.create(1024),
      configure: () => undefined,
      startSending: () => undefined,
      stats: () => ({ silentForMs: this.silentForMs, ...this.counted }),
      close: async () => ({}),
    } as unknown as MediaPort;
  }

  #link(): PipelineLink {
    this.links.open++;
    return {
      open: async () => undefined,
      attach: () => undefined,
      startPlaying: () => undefined,
      detach: () => undefined,
      setHeld: () => undefined,
      stats: () => ({}),
      close: async () => {
        this.links.open--;
        await this.closesWhen;
      },
    } as unknown as PipelineLink;
  }

  reserve(session: Session, more: Partial<Reservation> & { from?: string } = {}): Leg {
    const { from = 'sip:pbx@example.com', ...rest } = more;
    const facts = {
      direction: 'inbound' as const,
      callId: 'c',
      from,
      to: 't',
      sourceAddress: '192.0.2.1',
      transport: 'udp',
      startedAt: 0,
      headers: {},
    };
    return this.bridges.reserve({ session, role: undefined, facts, concurrencyLimit: 100, ...rest });
  }

  /** A call that is up. */
  async call(
    session: Session,
    more: Parameters<House['reserve']>[1] = {},
  ): Promise<Leg & { byes: string[] }> {
    const leg = this.reserve(session, more);
    await leg.start({ family: 4, onWaiting: () => undefined });
    leg.configure({
      codec: 'PCMU',
      held: false,
      telephoneEvents: [] as MediaSettings['telephoneEvents'],
    } as MediaSettings);
    const byes: string[] = [];
    leg.answered({ bye: async (reason) => void byes.push(reason), press: async () => true });
    return Object.assign(leg, { byes });
  }
}

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    return (error as Refusal).code;
  }
  return 'taken';
};

describe('bridges', () => {
  let house: House;
  const one = sessionOf('ONE');
  beforeEach(() => {
    vi.useFakeTimers();
    house = new House();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('give the customer role first, then the agent role, then none', () => {
    expect([house.reserve(one, { from: 'a' }).role, house.reserve(one, { from: 'b' }).role]).toEqual([
      'customer',
      'agent',
    ]);
    expect(codeOf(() => house.reserve(one, { from: 'c' }))).toBe('role_taken');
  });

  test('give a caller who is back the role that it had before', async () => {
    const customer = await house.call(one, { from: 'a' });
    const agent = await house.call(one, { from: 'b' });
    customer.end('hangup', true);
    agent.end('hangup', true);
    expect(house.reserve(one, { from: 'b' }).role).toBe('agent');
    expect(house.reserve(one, { from: 'a' }).role).toBe('customer');
  });

  test('let a caller replace its own leg once that has been silent for 5 s', async () => {
    const old = await house.call(one, { role: 'customer' });
    house.silentForMs = 4999;
    expect(codeOf(() => house.reserve(one, { role: 'customer' }))).toBe('role_taken');
    house.silentForMs = 5000;
    expect(codeOf(() => house.reserve(one, { role: 'customer', from: 'somebody else' }))).toBe('role_taken');
    expect(house.reserve(one, { role: 'customer' }).role).toBe('customer');
    expect(old.byes).toEqual([expect.stringMatching(/text="replaced: /)]);
    expect(house.bridges.calls).toBe(1);
  });

  test('never take a leg on hold for one that was left', async () => {
    const held = await house.call(one);
    held.configure({
      codec: 'PCMU',
      held: true,
      telephoneEvents: [] as MediaSettings['telephoneEvents'],
    } as MediaSettings);
    house.silentForMs = 60_000;
    expect(house.reserve(one).role).toBe('agent');
    expect(held.state).toBe('up');
  });

  test('hold an organization to its limit, and the node to its own', () => {
    house.reserve(one, { concurrencyLimit: 1 });
    expect(codeOf(() => house.reserve(sessionOf('TWO'), { concurrencyLimit: 1 }))).toBe('concurrency_limit');
    const small = new House({ maxCalls: 1 });
    small.reserve(one).release();
    small.reserve(one);
    expect(codeOf(() => small.reserve(sessionOf('TWO')))).toBe('overloaded');
  });

  test('keep nothing of a call that was refused before it was up', async () => {
    const leg = house.reserve(one);
    await leg.start({ family: 4, onWaiting: () => undefined });
    leg.release();
    expect([house.bridges.calls, house.bridges.size, house.links.open]).toEqual([0, 0, 0]);
    expect([house.reasons, house.completed]).toEqual([[], []]);
  });

  test('complete a session of two parties 30 s after the last one left, as of when it left', async () => {
    const leg = await house.call(one);
    house.now = 5000;
    leg.end('hangup', true);
    expect(house.bridges.isLive(one.id)).toBe(true);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(house.completed).toEqual([]);
    house.now = 35_000;
    await vi.advanceTimersByTimeAsync(1);
    expect(house.completed).toEqual([{ id: one.id, at: 5000 }]);
    expect([house.bridges.size, house.links.open]).toEqual([0, 0]);
  });

  test('wait on from when the last party left, although a call came in between and was refused', async () => {
    const leg = await house.call(one);
    house.now = 5000;
    leg.end('hangup', true);
    house.now = 10_000;
    house.reserve(one).release();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(house.completed).toEqual([{ id: one.id, at: 5000 }]);
  });

  test('complete a session of one leg at once', async () => {
    const leg = await house.call(sessionOf('SOLO', 'ai_agent'));
    house.now = 700;
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(0);
    expect(house.completed).toEqual([{ id: 'sess_SOLO', at: 700 }]);
  });

  test('tell of the end of a session after the records of its legs', async () => {
    const leg = await house.call(sessionOf('SOLO', 'ai_agent'));
    leg.end('hangup', true);
    expect([house.reasons, house.completed]).toEqual([[], []]);
    await vi.advanceTimersByTimeAsync(0);
    expect(house.heard).toEqual(['record', 'completed', 'over sess_SOLO']);
  });

  test('hand on what is said, and are done with it when the link has closed and the session is over', async () => {
    const closed = Promise.withResolvers<void>();
    const solo = sessionOf('SOLO', 'ai_agent');
    const leg = await house.call(solo);
    house.closesWhen = closed.promise;
    const said = (text: string): LinkEvent => ({
      ...{ type: 'transcript', final: true, speaker: 'customer', text },
      ...{ id: undefined, language: undefined, translation: undefined },
    });
    house.links.events[0]?.(said('hello'));
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(500);
    house.links.events[0]?.(said('goodbye'));
    expect(house.heard).toEqual(['sess_SOLO: hello', 'record', 'completed', 'sess_SOLO: goodbye']);
    closed.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(house.heard.slice(4)).toEqual(['over sess_SOLO']);
  });

  test('start a session once, with the first audio of any leg', async () => {
    await house.call(one);
    await house.call(one, { from: 'b' });
    for (const tell of house.media) tell({ type: 'first_packet', at: 1 });
    expect(house.started).toEqual([one.id]);
  });

  test('end a leg with the reason that its media gives', async () => {
    const silent = await house.call(one);
    house.media[0]?.({ type: 'media_timeout' });
    const broken = await house.call(sessionOf('TWO'));
    house.media[1]?.({ type: 'worker_lost' });
    expect(silent.byes[0]).toMatch(/text="media_timeout: /);
    expect(broken.byes[0]).toMatch(/text="error: /);
  });

  test('end the legs of a session whose pipeline is lost, and open a new link for the next call', async () => {
    const leg = await house.call(one);
    house.links.events[0]?.({ type: 'lost', detail: 'reset' });
    expect(leg.byes[0]).toMatch(/text="pipeline_failed: /);
    expect(house.links.open).toBe(0);
    await house.call(one);
    expect(house.links.open).toBe(1);
  });

  test.each([
    ['comes from elsewhere', { packetsDroppedBySource: 50 }, 'from an address that its SDP does not name'],
    [
      'is under another key',
      { packetsDroppedBySource: 1, packetsDroppedUnauthentic: 50 },
      'does not fit the key in its SDP',
    ],
  ])('say why a call is silent whose media %s', async (_cause, counted, words) => {
    house.counted = { packetsReceived: 0, packetsDroppedUnauthentic: 0, ...counted };
    await house.call(one);
    await vi.advanceTimersByTimeAsync(2999);
    expect(house.warnings).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(house.warnings).toEqual([expect.stringContaining(words)]);
  });

  test('do not say so of a call that is heard, or to which nobody speaks', async () => {
    house.counted = { packetsReceived: 9, packetsDroppedBySource: 9, packetsDroppedUnauthentic: 9 };
    await house.call(one);
    await vi.advanceTimersByTimeAsync(3000);
    house.counted = { packetsReceived: 0, packetsDroppedBySource: 0, packetsDroppedUnauthentic: 0 };
    await house.call(sessionOf('TWO'));
    await vi.advanceTimersByTimeAsync(3000);
    expect(house.warnings).toEqual([]);
  });

  test('send no BYE when the engine is lost, and let the callers come back', async () => {
    const leg = await house.call(one);
    house.bridges.engineLost();
    expect(leg.byes).toEqual([]);
    expect(house.bridges.isLive(one.id)).toBe(true);
    await vi.waitFor(() => expect(house.reasons).toEqual(['engine_lost']));
  });

  test('take no call once they drain, and tell every leg and session', async () => {
    const leg = await house.call(one);
    house.now = 900;
    house.bridges.drain();
    expect(leg.byes[0]).toMatch(/text="drained: /);
    await vi.advanceTimersByTimeAsync(0);
    expect(house.completed).toEqual([{ id: one.id, at: 900 }]);
    expect(codeOf(() => house.reserve(sessionOf('TWO')))).toBe('draining');
    vi.useRealTimers();
    await house.bridges.settled(5000);
    expect(house.reasons).toEqual(['drained']);
  });
});
