import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MediaSettings } from '../../src/media/media-port.ts';
import type { LinkEvent } from '../../src/pipeline/pipeline-link.ts';
import { codeOf, House, sessionOf } from './house.ts';

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
    expect(old.byes).toEqual(['replaced']);
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
    expect(codeOf(() => small.reserve(one))).toBe('overloaded');
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
    await vi.advanceTimersByTimeAsync(20_000);
    house.reserve(one).release();
    await vi.advanceTimersByTimeAsync(9999);
    expect(house.completed).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(house.completed).toEqual([{ id: one.id, at: 5000 }]);
  });

  test('are over when a call that was being set up meanwhile comes to nothing after that', async () => {
    const leg = await house.call(one);
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(29_000);
    const late = house.reserve(one);
    await vi.advanceTimersByTimeAsync(5000);
    expect(house.bridges.isLive(one.id)).toBe(true);
    late.release();
    await vi.advanceTimersByTimeAsync(0);
    expect([house.bridges.size, house.completed]).toEqual([0, [{ id: one.id, at: 0 }]]);
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

  test('show a leg that has ended until its record is kept, though its session is over', async () => {
    const kept = Promise.withResolvers<void>();
    house.keepsWhen = kept.promise;
    const solo = sessionOf('SOLO', 'ai_agent');
    const leg = await house.call(solo);
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(1000);
    expect([house.bridges.size, house.bridges.legsOf(solo.id)]).toEqual([0, []]);
    expect(house.bridges.unrecordedLegsOf(solo.id).map(({ id }) => id)).toEqual([leg.id]);
    expect(house.bridges.unrecordedLegsOf(one.id)).toEqual([]);
    expect(house.bridges.findLeg(leg.id)?.id).toBe(leg.id);
    kept.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(house.bridges.unrecordedLegsOf(solo.id)).toEqual([]);
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
    expect(silent.byes).toEqual(['media_timeout']);
    expect(broken.byes).toEqual(['error']);
  });

  test('end the legs of a session whose pipeline is lost, and open a new link for the next call', async () => {
    const leg = await house.call(one);
    house.links.events[0]?.({ type: 'lost', detail: 'reset' });
    expect(leg.byes).toEqual(['pipeline_failed']);
    expect(house.links.open).toBe(0);
    await house.call(one);
    expect(house.links.open).toBe(1);
  });

  test('end the call of one party as hung up when the pipeline hangs up', async () => {
    const leg = await house.call(sessionOf('SOLO', 'ai_agent'));
    house.links.events[0]?.({ type: 'ended', reason: 'closed with 1000', hangup: true });
    expect([leg.byes, house.links.open]).toEqual([['hangup'], 0]);
  });

  describe('while the pipeline is missing', () => {
    const down = () => house.links.events.at(-1)?.({ type: 'down', detail: 'reset' });
    const up = () => house.links.events.at(-1)?.({ type: 'up', outageMs: 0, resentMs: 0, lostMs: 0 });
    const pass = async (ms: number) => {
      house.now += ms;
      await vi.advanceTimersByTimeAsync(ms);
    };
    const directly = () => house.hearings.map(({ translation, original }) => !translation && !!original);

    test('two parties hear each other after a second, and their translation once it is back', async () => {
      await house.call(one);
      const agent = await house.call(one, { from: 'b' });
      down();
      await pass(999);
      expect([directly(), house.outages]).toEqual([[false, false], []]);
      await pass(1);
      expect([directly(), house.outages]).toEqual([[true, true], ['pipeline_lost']]);
      await pass(2000);
      up();
      expect(house.outages).toEqual(['pipeline_lost', 'active after 3000']);
      expect(house.hearings).toMatchObject([{ original: null }, { original: null }]);
      expect([agent.state, house.links.open]).toEqual(['up', 1]);
    });

    test('one that is back within a second is not told of', async () => {
      await house.call(one);
      down();
      await pass(990);
      up();
      await pass(5000);
      expect(house.outages).toEqual([]);
    });

    test('with hangup two parties are hung up after a second', async () => {
      house = new House({ onFailure: 'hangup' });
      const leg = await house.call(one);
      down();
      await pass(999);
      expect(leg.state).toBe('up');
      await pass(1);
      expect(leg.byes).toEqual(['pipeline_failed']);
      expect([house.links.open, house.outages]).toEqual([0, []]);
    });

    test('a party that talks with the pipeline alone waits until the link gives up', async () => {
      const leg = await house.call(sessionOf('SOLO', 'ai_agent'));
      down();
      await pass(20_000);
      expect([leg.state, house.outages]).toEqual(['up', ['pipeline_lost']]);
      house.links.events[0]?.({ type: 'lost', detail: 'reset' });
      expect(leg.byes).toEqual(['pipeline_failed']);
      expect(house.outages).toEqual(['pipeline_lost', 'over after 20000']);
    });

    test('a call is answered a second after it came, the next one at once, and both are degraded', async () => {
      house.opens = new Promise(() => undefined);
      const first = house.call(one);
      await pass(999);
      expect(house.hearings).toEqual([]);
      await pass(1);
      await first;
      await house.call(one, { from: 'b' });
      expect([directly(), house.outages]).toEqual([[true, true], ['pipeline_not_ready']]);
    });

    test('with hangup a call is not answered before the pipeline is ready', async () => {
      house = new House({ onFailure: 'hangup' });
      const ready = Promise.withResolvers<void>();
      house.opens = ready.promise;
      const call = house.call(one);
      await pass(4000);
      expect(house.hearings).toEqual([]);
      ready.resolve();
      expect((await call).state).toBe('up');
    });

    test('a call is told to ring once that has lasted for 200 ms, and not before', async () => {
      const ready = Promise.withResolvers<void>();
      house.opens = ready.promise;
      const rings = vi.fn();
      const started = house.reserve(one).start({ family: 4, onWaiting: rings });
      await pass(199);
      expect(rings).not.toHaveBeenCalled();
      await pass(1);
      expect(rings).toHaveBeenCalledTimes(1);
      ready.resolve();
      await started;
      await house.reserve(one).start({ family: 4, onWaiting: rings });
      await pass(1000);
      expect(rings).toHaveBeenCalledTimes(1);
    });

    test('its seconds count to the end of a session that ends meanwhile', async () => {
      await house.call(one);
      down();
      await pass(1500);
      house.bridges.endSession(one.id);
      expect(house.outages).toEqual(['pipeline_lost', 'over after 1500']);
    });

    test('a party that comes later is told of since it is there', async () => {
      const leg = await house.call(one);
      leg.end('hangup', true);
      down();
      await pass(5000);
      expect(house.outages).toEqual([]);
      await house.call(one);
      await pass(2000);
      up();
      expect(house.outages).toEqual(['pipeline_lost', 'active after 2000']);
    });
  });

  test('let a party hear the waiting sound until the other one is there, and again when it has left or holds', async () => {
    const waits = () => house.hearings.map(({ waiting }) => waiting?.kind);
    await house.call(one);
    expect(waits()).toEqual(['silence']);
    const agent = await house.call(one, { from: 'b' });
    expect(waits()).toEqual([undefined, undefined]);
    agent.configure({ held: true, telephoneEvents: [] as MediaSettings['telephoneEvents'] } as MediaSettings);
    expect(waits()[0]).toBe('silence');
    agent.configure({
      held: false,
      telephoneEvents: [] as MediaSettings['telephoneEvents'],
    } as MediaSettings);
    expect(waits()[0]).toBeUndefined();
    agent.end('hangup', true);
    expect(waits()[0]).toBe('silence');
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

  test('say once what the pipeline complains of over and over', async () => {
    await house.call(one);
    const complain = (code: string, message: string) =>
      house.links.events[0]?.({ type: 'error', code, message });
    for (let chunk = 0; chunk < 100; chunk++) complain('invalid_audio_format', `chunk ${chunk}`);
    complain('busy', 'later');
    expect(house.warnings).toEqual(['pipeline error', 'pipeline error']);
  });

  test('send no BYE when the engine of a leg is lost, and let its caller come back', async () => {
    const leg = await house.call(one);
    for (const lost of house.bridges.legsOf(one.id)) lost.end('engine_lost', true);
    expect(leg.byes).toEqual([]);
    expect(house.bridges.isLive(one.id)).toBe(true);
    await vi.waitFor(() => expect(house.reasons).toEqual(['engine_lost']));
  });

  test('that drain take calls to the sessions that are here alone, and are empty when none waits any more', async () => {
    let empty = false;
    const leg = await house.call(one);
    void house.bridges.drained(new AbortController().signal).then(() => {
      empty = true;
    });
    expect(codeOf(() => house.reserve(sessionOf('TWO')))).toBe('draining');
    const agent = await house.call(one);
    leg.end('hangup', true);
    agent.end('hangup', true);
    await vi.advanceTimersByTimeAsync(29_000);
    const back = await house.call(one);
    await vi.advanceTimersByTimeAsync(29_000);
    back.end('hangup', true);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(empty).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    expect(empty).toBe(true);
    expect(house.reasons).toEqual(['hangup', 'hangup', 'hangup']);
  });

  test('that drain end no call themselves, however long it takes', async () => {
    const leg = await house.call(one);
    const patience = new AbortController();
    const drained = house.bridges.drained(patience.signal);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(leg.state).toBe('up');
    patience.abort();
    await drained;
    expect(leg.byes).toEqual([]);
  });

  test('take no call once they are hung up, and tell every leg and session', async () => {
    const leg = await house.call(one);
    house.now = 900;
    house.bridges.hangUp();
    expect(leg.byes).toEqual(['drained']);
    await vi.advanceTimersByTimeAsync(0);
    expect(house.completed).toEqual([{ id: one.id, at: 900 }]);
    expect(codeOf(() => house.reserve(sessionOf('TWO')))).toBe('draining');
    vi.useRealTimers();
    await house.bridges.settled(5000);
    expect(house.reasons).toEqual(['drained']);
  });
});
