import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiError } from '../../src/api-errors.ts';
import { codeOf, House, sessionOf } from './house.ts';

describe('legs that come as streams', () => {
  let house: House;
  const one = sessionOf('ONE');
  beforeEach(() => {
    vi.useFakeTimers();
    house = new House();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('share a session with a SIP call, each in its role, and hear each other where that is wanted', async () => {
    const session = sessionOf('ONE', 'assistive_translation');
    const customer = await house.call(session);
    const agent = await house.stream(session);
    expect([customer.role, agent.role, house.bridges.calls]).toEqual(['customer', 'agent', 2]);
    expect(house.hearings).toMatchObject([
      { translation: true, original: null, waiting: null },
      { translation: false, original: { from: customer.port }, waiting: null },
    ]);
  });

  test('are held to roles and limits like calls: of two clients for one role one is turned away', async () => {
    await house.stream(one, { role: 'agent' });
    expect(codeOf(() => house.reserve(one, { role: 'agent', provider: 'webrtc', from: '' }))).toBe(
      'role_taken',
    );
    expect(codeOf(() => house.reserve(sessionOf('TWO'), { provider: 'webrtc', concurrencyLimit: 1 }))).toBe(
      'concurrency_limit',
    );
    const solo = sessionOf('SOLO', 'ai_agent');
    expect(codeOf(() => house.reserve(solo, { role: 'agent', provider: 'webrtc' }))).toBe('role_taken');
  });

  test('whose party is silent by right are not replaced while the client is heard of; then they are', async () => {
    let heardOfMs = 0;
    const old = await house.stream(one, { role: 'agent' }, { silentForMs: () => heardOfMs });
    house.silentForMs = 600_000;
    const again = () => house.reserve(one, { role: 'agent', provider: 'webrtc', from: '' });
    expect(codeOf(again)).toBe('role_taken');
    heardOfMs = 5000;
    expect(again().role).toBe('agent');
    expect([old.byes, house.bridges.calls]).toEqual([['replaced'], 1]);
  });

  test('on hold say nothing and hear nothing; the other party waits meanwhile', async () => {
    await house.call(one);
    const agent = await house.stream(one);
    agent.hold(true);
    agent.hold(true);
    expect([house.holds, agent.held]).toEqual([[true], true]);
    expect(house.hearings[0]).toMatchObject({ original: null, waiting: { kind: 'silence' } });
    agent.hold(false);
    expect([house.holds, house.hearings[0]?.waiting]).toEqual([[true, false], null]);
  });

  test('hear the other party itself while there is no translation, and it them', async () => {
    await house.call(one);
    await house.stream(one);
    house.links.events[0]?.({ type: 'down', detail: 'reset' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(house.hearings.map(({ translation, original }) => !translation && !!original)).toEqual([
      true,
      true,
    ]);
    house.links.events[0]?.({ type: 'up', outageMs: 0, resentMs: 0, lostMs: 0 });
    expect(house.hearings).toMatchObject([{ original: null }, { original: null }]);
  });

  test.each([
    ['session_ended', (h: House) => h.bridges.endSession(one.id)],
    ['drained', (h: House) => h.bridges.hangUp()],
    ['media_timeout', (h: House) => h.media[0]?.({ type: 'media_timeout' })],
    ['error', (h: House) => h.media[0]?.({ type: 'worker_lost' })],
    ['pipeline_failed', (h: House) => h.links.events[0]?.({ type: 'lost', detail: 'reset' })],
  ] as const)('are told that they end by %s, once, and have a record of it', async (reason, happen) => {
    const leg = await house.stream(one);
    happen(house);
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(0);
    expect([leg.byes, house.reasons, house.bridges.calls]).toEqual([[reason], [reason], 0]);
  });

  test('whose client is gone are told nothing, and may come back in their role', async () => {
    const leg = await house.stream(one, { role: 'agent' });
    leg.end('hangup', true);
    await vi.advanceTimersByTimeAsync(29_000);
    expect([leg.byes, house.bridges.isLive(one.id)]).toEqual([[], true]);
    expect((await house.stream(one)).role).toBe('agent');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(house.completed).toEqual([]);
  });

  test('whose session ends while they wait for the pipeline come to nothing, and no record is kept', async () => {
    house.opens = new Promise(() => undefined);
    const leg = house.reserve(one, { provider: 'twilio' });
    const started = leg.startStream({ codec: 'PCMU' });
    const failed = expect(started).rejects.toMatchObject({ reason: 'session_ended' });
    await vi.advanceTimersByTimeAsync(100);
    house.bridges.endSession(one.id);
    await failed;
    leg.release();
    const hungUp: string[] = [];
    leg.answered({ hangUp: async (reason) => void hungUp.push(reason) });
    expect([hungUp, house.bridges.calls, house.bridges.size]).toEqual([['session_ended'], 0, 0]);
  });

  test('make the session active with their first audio, and say in their record what carried them', async () => {
    const leg = await house.stream(one, { provider: 'twilio', from: '+14155550100' });
    house.counted = { packetsReceived: 50, packetsLost: 0 };
    house.media[0]?.({ type: 'first_packet', at: 7 });
    expect(house.started).toEqual([one.id]);
    expect(leg.record()).toMatchObject({
      ...{ provider: 'twilio', from_uri: '+14155550100', codec: 'PCMU', srtp: null, packets_received: 50 },
      mos: null,
    });
  });

  test('tell of keys that were pressed there, and cannot be sent any', async () => {
    const leg = await house.stream(one);
    const press = { digit: '5', durationMs: 100, method: 'stream' } as const;
    leg.keyPressed(press);
    leg.keyPressed(press);
    expect(leg.record().dtmf_received).toBe(2);
    let error: ApiError | undefined;
    try {
      leg.press({ digits: '1', durationMs: 100, gapMs: 100 });
    } catch (thrown) {
      error = thrown as ApiError;
    }
    expect(error?.code).toBe('dtmf_not_possible');
  });
});
