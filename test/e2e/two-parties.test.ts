import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import {
  heardFirstAt,
  lastSamples,
  levelDb,
  spoken,
  translated,
  translateTone,
  voicesSince,
} from '../support/tones.ts';
import { TwoParties } from '../support/two-parties.ts';
import { Receiver } from '../webhooks/receiver.ts';

describe('two parties that speak in tones', () => {
  let house: TwoParties;
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(settings: Record<string, Record<string, unknown>> = {}): Promise<void> {
    house = await TwoParties.start(await FakePipeline.start({ translates: translateTone }), settings);
    running.push(house);
  }
  /** Both parties of a new session, and its id. */
  async function pair(wishes: Record<string, unknown> = {}): Promise<[PhoneCall, PhoneCall, string]> {
    const id = await house.gateway.session(wishes);
    return [await house.call(id, 'customer'), await house.call(id, 'agent'), id];
  }
  /** All that somebody has heard so far. */
  const everything = ({ media }: PhoneCall) => voicesSince(media.heard);

  test.each([
    [['customer', 'agent'], true],
    [['agent', 'customer'], true],
    [['customer', 'agent'], false],
  ] as const)('each hear the other translated and never themselves: %s, named: %s', async (order, named) => {
    await start();
    const id = await house.gateway.session();
    const calls: Record<string, PhoneCall> = {};
    for (const role of order) calls[role] = await house.call(id, role, { named });
    const [customer, agent] = [calls.customer as PhoneCall, calls.agent as PhoneCall];
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
    expect(everything(customer)).toEqual(['agent translated']);
    expect(everything(agent)).toEqual(['customer translated']);
    await eventually('it is translated', async () => (await house.translation(id)) === 'active');
    await Promise.all([customer.bye(), agent.bye()]);
    await eventually('nobody is there', async () => (await house.translation(id)) === undefined);
  });

  test('an agent who is assisted hears the customer as it is, the customer the translation', async () => {
    await start();
    const [customer, agent] = await pair({ mode: 'assistive_translation' });
    await house.hears(agent, 'customer');
    await house.hears(customer, 'agent translated');
    expect(everything(customer)).toEqual(['agent translated']);
  });

  test('a caller of an AI agent hears what the pipeline says', async () => {
    await start();
    const id = await house.gateway.session({ mode: 'ai_agent' });
    await house.hears(await house.call(id, 'customer'), 'customer translated');
  });

  test('the original is heard under its translation where the session wants it, 20 dB fainter', async () => {
    await start();
    const [customer, agent] = await pair({ mix_original_db: -20 });
    await house.hears(agent, 'customer', 'customer translated');
    await eventually('it steps back', () => levelDb(lastSamples(agent.media.heard), spoken.customer) < -19);
    const heard = lastSamples(agent.media.heard);
    expect(levelDb(heard, spoken.customer)).toBeGreaterThan(-22);
    expect(Math.abs(levelDb(heard, translated.customer))).toBeLessThan(1);
    agent.media.stop();
    await house.hears(customer);
  });

  test('come and go: waiting alone, a third turned away, back in its own role, on hold and off it', async () => {
    await start({ session: { waiting: 'tone' } });
    const id = await house.gateway.session();
    const customer = await house.call(id, 'customer');
    await house.hears(customer, 'waiting');
    const agent = await house.call(id, 'agent');
    await house.hears(customer, 'agent translated');
    const third = await house.call(id, 'agent', { phone: 'third', named: false });
    expect([third.status, third.headers.get('x-kallglot-error')]).toEqual([486, 'role_taken']);

    await agent.bye();
    await house.hears(customer, 'waiting');
    const back = await house.call(id, 'agent', { named: false });
    await house.hears(customer, 'agent translated');
    await house.hears(back, 'customer translated');

    expect((await back.reinvite({ direction: 'sendonly' })).status).toBe(200);
    await house.hears(customer, 'waiting');
    const since = customer.media.heard.length;
    expect((await back.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    await house.hears(customer, 'agent translated');
    await house.hears(back, 'customer translated');
    expect(voicesSince(customer.media.heard, since).sort()).toEqual(['agent translated', 'waiting']);
  });

  test('one whose PBX has lost its call replaces it by a new one, and is heard as before', async () => {
    await start();
    const [customer, agent, id] = await pair();
    await house.hears(customer, 'agent translated');
    agent.media.mute();
    const again = () => house.call(id, 'agent', { named: false });
    expect((await again()).status).toBe(486);
    let back: PhoneCall | undefined;
    await eventually('it is taken again', async () => {
      back = await again();
      return back.status === 200;
    });
    expect((await agent.ended).reasonHeader).toMatch(/text="replaced: /);
    await house.hears(customer, 'agent translated');
    await house.hears(back as PhoneCall, 'customer translated');
    expect(everything(customer)).toEqual(['agent translated']);
  });

  test('hear each other whatever their mode is while there is no translation, and their mode again after it', async () => {
    await start();
    const [customer, agent] = await pair({ mode: 'assistive_translation' });
    await house.hears(customer, 'agent translated');
    await house.pipeline.kill();
    await house.hears(customer, 'agent');
    await house.hears(agent, 'customer');
    await house.pipeline.restart();
    await house.hears(customer, 'agent translated');
    expect(everything(agent)).toEqual(['customer']);
  });

  test('both hanging up at once end once each, and the session is over when nobody comes back', async () => {
    await start({ session: { rejoin_seconds: 1 } });
    const [customer, agent, id] = await pair();
    await house.hears(customer, 'agent translated');
    await Promise.all([customer.bye(), agent.bye(), house.pipeline.kill()]);
    const shown = async () => (await house.gateway.rest('GET', `/v1/sessions/${id}`)).body;
    await eventually('it has ended', async () => (await shown()).status === 'ended');
    expect((await shown()).translation).toBeUndefined();
    const { data } = (await house.gateway.rest('GET', `/v1/sessions/${id}/calls`)).body;
    expect(data.map(({ reason }: { reason: string }) => reason)).toEqual(['hangup', 'hangup']);
    expect(await house.gateway.metric('kallglot_sessions_degraded')).toBe(0);
    await house.pipeline.restart();
  });

  test('go on without the pipeline within 1.2 s, and are translated again once it is back', async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    await start({ webhooks: { allow_private: true } });
    const events = ['session.degraded', 'session.recovered'];
    await house.gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events });
    const [customer, agent, id] = await pair();
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');

    const lateness = monitorEventLoopDelay({ resolution: 5 });
    lateness.enable();
    const from = [customer, agent].map(({ media }) => media.heard.length);
    const killedAt = performance.now();
    await house.pipeline.kill();
    await house.hears(customer, 'agent');
    await house.hears(agent, 'customer');
    // As late as this process was, which is the gateway and the phones, and stands between them twice.
    const late = (2 * lateness.max) / 1e6;
    for (const [i, [call, voice]] of (
      [
        [customer, 'agent'],
        [agent, 'customer'],
      ] as const
    ).entries()) {
      const ms = (heardFirstAt(call.media.heard, voice, from[i]) as number) - killedAt;
      expect(ms).toBeGreaterThan(950);
      expect(ms).toBeLessThan(1200 + late);
    }
    await eventually('it is told', async () => (await house.translation(id)) === 'degraded');
    expect(await house.gateway.metric('kallglot_sessions_degraded')).toBe(1);
    expect(await house.gateway.metric('kallglot_degradations_total{reason="pipeline_lost"}')).toBe(1);

    await house.pipeline.restart();
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
    await eventually('it is told', async () => (await house.translation(id)) === 'active');
    await eventually('both events', () => receiver.types().length === 2);
    const [degraded, recovered] = receiver.received.map(({ body }) => body);
    expect([degraded.type, recovered.type]).toEqual(events);
    expect(degraded.data).toMatchObject({ session_id: id, reason: 'pipeline_lost' });
    expect(degraded.data.detail).toContain('the connection to the pipeline was lost');
    expect(recovered.data).toMatchObject({ session_id: id, since: degraded.data.since });
    expect(recovered.data.outage_seconds).toBeGreaterThan(0.95);
    const counted = await house.gateway.metric('kallglot_degraded_seconds_total');
    expect(counted).toBeCloseTo(recovered.data.outage_seconds, 3);
    expect([customer.isUp, agent.isUp, await house.gateway.metric('kallglot_sessions_degraded')]).toEqual([
      true,
      true,
      0,
    ]);
  });

  test('keep talking while the pipeline is killed and restarted again and again', async () => {
    await start();
    const [customer, agent] = await pair();
    for (let round = 0; round < 5; round++) {
      await house.hears(customer, 'agent translated');
      await house.hears(agent, 'customer translated');
      await house.pipeline.kill();
      if (round % 2 === 1) await house.hears(customer, 'agent');
      await house.pipeline.restart();
    }
    await house.hears(customer, 'agent translated');
    expect(everything(customer).sort()).toEqual(['agent', 'agent translated']);
    expect(everything(agent).sort()).toEqual(['customer', 'customer translated']);
  });

  test('are answered after a second when the pipeline is not there, and wait for each other without it', async () => {
    await start({ session: { waiting: 'tone' } });
    await house.pipeline.kill();
    const id = await house.gateway.session();
    const customer = await house.call(id, 'customer');
    expect(customer.status).toBe(200);
    expect(customer.answeredAfterMs).toBeGreaterThan(950);
    await house.hears(customer, 'waiting');
    await eventually('it is told', async () => (await house.translation(id)) === 'degraded');
    const agent = await house.call(id, 'agent');
    await house.hears(customer, 'agent');
    await house.hears(agent, 'customer');
    await house.pipeline.restart();
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
  });

  test('are hung up a second after the loss where that is wanted', async () => {
    await start({ pipeline: { on_failure: 'hangup' } });
    const [customer, agent] = await pair();
    await house.hears(customer, 'agent translated');
    const killedAt = performance.now();
    await house.pipeline.kill();
    for (const { ended } of [customer, agent]) {
      const { reasonHeader, at } = await ended;
      expect(reasonHeader).toMatch(/text="pipeline_failed: /);
      expect(at - killedAt).toBeGreaterThan(950);
    }
    expect(everything(customer)).toEqual(['agent translated']);
  });
});
