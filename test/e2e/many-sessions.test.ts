import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { translateTone } from '../support/tones.ts';
import { TwoParties } from '../support/two-parties.ts';

const SESSIONS = 100;
/** Sessions whose parties talk; in the others they are on hold, for the phones are on the same machine. */
const TALKING = 20;
/** Of these, as many are listened to. */
const LISTENED = 3;
const AT_ONCE = 10;

describe('a hundred sessions of two parties', () => {
  let house: TwoParties;
  beforeEach(async () => {
    house = await TwoParties.start(await FakePipeline.start({ translates: translateTone }));
  });
  afterEach(() => house.stop());

  async function pair(index: number): Promise<{ id: string; calls: [PhoneCall, PhoneCall] }> {
    const id = await house.gateway.session();
    const speaks = index < TALKING;
    return {
      id,
      calls: [await house.call(id, 'customer', { speaks }), await house.call(id, 'agent', { speaks })],
    };
  }

  test('go on while their pipeline is restarted, quickly and slowly, and no call ends', async () => {
    const sessions: Awaited<ReturnType<typeof pair>>[] = [];
    for (let i = 0; i < SESSIONS; i += AT_ONCE)
      sessions.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => pair(i + n)))));
    const talking = sessions.slice(0, LISTENED);
    const areTranslated = async () => {
      for (const { calls } of talking) {
        await house.hears(calls[0], 'agent translated');
        await house.hears(calls[1], 'customer translated');
      }
    };
    const degraded = () => house.gateway.metric('kallglot_sessions_degraded');
    const ready = () => house.pipeline.openSockets === SESSIONS;
    await areTranslated();

    for (let quick = 0; quick < 2; quick++) {
      await house.pipeline.kill();
      await house.pipeline.restart();
      await eventually('all are connected again', ready, 20_000);
      await areTranslated();
    }
    await house.pipeline.kill();
    await eventually('all are degraded', async () => (await degraded()) === SESSIONS, 20_000);
    for (const { calls } of talking) {
      await house.hears(calls[0], 'agent');
      await house.hears(calls[1], 'customer');
    }
    await house.pipeline.restart();
    await eventually('none is degraded', async () => (await degraded()) === 0, 20_000);
    await areTranslated();

    expect(sessions.flatMap(({ calls }) => calls).filter(({ isUp }) => !isUp)).toEqual([]);
    expect(await house.gateway.metric('kallglot_calls_active')).toBe(2 * SESSIONS);
    for (const { id } of sessions)
      await eventually('it is told', async () => (await house.translation(id)) === 'active');
  });
});
