import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { StreamClient } from '../support/stream-client.ts';
import { connectKallglot, connectTwilio } from '../support/stream-kinds.ts';
import { lastSamples, levelDb, spoken, translateTone, voicesSince } from '../support/tones.ts';
import { speech, TwoParties } from '../support/two-parties.ts';

/** A customer who calls by SIP, and an agent who comes by stream: what becomes of the one when something happens to the other. */
describe('a phone and a stream in one session', () => {
  let house: TwoParties;
  beforeAll(async () => {
    const pipeline = await FakePipeline.start({ translates: translateTone });
    house = await TwoParties.start(pipeline, { session: { waiting: 'tone' } });
  });
  afterAll(() => house.stop());

  async function meet(
    way: 'browser' | 'Twilio',
    wishes: Record<string, unknown> = {},
  ): Promise<{ customer: PhoneCall; agent: StreamClient; id: string; again: () => Promise<StreamClient> }> {
    const wanted = { mode: 'bidirectional_translation', routing: { type: 'sip' }, ...wishes };
    const { body } = await house.gateway.rest('POST', '/v1/sessions', wanted);
    const stream = house.gateway.streamOf(body);
    const again = async () => {
      const client =
        way === 'browser'
          ? await connectKallglot(stream, 'agent')
          : await connectTwilio(stream, { parameters: { role: 'agent' } });
      client.media.play(speech.agent);
      return client;
    };
    const agent = await again();
    return { customer: await house.call(body.id, 'customer'), agent, id: body.id, again };
  }
  const legs = async (id: string) => (await house.gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data;
  const end = (id: string) => house.gateway.rest('POST', `/v1/sessions/${id}/end`);

  test('the stream waits while the phone holds, and hears it again after it', async () => {
    const { customer, agent, id } = await meet('browser');
    await house.hears(agent, 'customer translated');
    expect((await customer.reinvite({ direction: 'sendonly' })).status).toBe(200);
    await house.hears(agent, 'waiting');
    expect((await customer.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    await house.hears(agent, 'customer translated');
    await house.hears(customer, 'agent translated');
    await end(id);
  });

  test('the phone waits while nobody is on the stream, and one who is back has its role again', async () => {
    const { customer, agent, id, again } = await meet('Twilio');
    await house.hears(customer, 'agent translated');
    agent.socket.terminate();
    await house.hears(customer, 'waiting');
    const back = await again();
    await house.hears(customer, 'agent translated');
    await house.hears(back, 'customer translated');
    const shown: { role: string; provider: string; status: string; reason: string | null }[] = await legs(id);
    expect(shown.map(({ role, provider, status }) => `${role} ${provider} ${status}`).sort()).toEqual([
      'agent twilio ended',
      'agent twilio up',
      'customer sip up',
    ]);
    await end(id);
  });

  test.each(['browser', 'Twilio'] as const)(
    'without a translation a phone and a %s hear each other, and their mode again after it',
    async (way) => {
      const { customer, agent, id } = await meet(way, { mode: 'assistive_translation' });
      await house.hears(customer, 'agent translated');
      await house.hears(agent, 'customer');
      const since = agent.media.heard.length;
      await house.pipeline.kill();
      await house.hears(customer, 'agent');
      await house.hears(agent, 'customer');
      await eventually(
        'it is as loud as it was said',
        () => Math.abs(levelDb(lastSamples(customer.media.heard), spoken.agent)) < 1,
      );
      await house.pipeline.restart();
      await house.hears(customer, 'agent translated');
      expect(voicesSince(agent.media.heard, since)).toEqual(['customer']);
      await end(id);
    },
  );

  test('the original is heard under its translation on the phone where the session wants it', async () => {
    const { customer, id } = await meet('browser', { mix_original_db: -20 });
    await house.hears(customer, 'agent', 'agent translated');
    await eventually('it steps back', () => {
      const level = levelDb(lastSamples(customer.media.heard), spoken.agent);
      return level < -19 && level > -22;
    });
    await end(id);
  });
});
