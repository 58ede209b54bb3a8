import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { StreamClient } from '../support/stream-client.ts';
import { connectKallglot, connectTelnyx, connectTwilio } from '../support/stream-kinds.ts';
import { translateTone } from '../support/tones.ts';
import { speech, TwoParties } from '../support/two-parties.ts';

const SESSIONS = 100;
/** Sessions whose parties talk; the others are silent, for phones and clients are on the same machine. */
const TALKING = 12;
/** Of these, as many are listened to: one of each kind of client. */
const LISTENED = 3;
const AT_ONCE = 10;

let house: TwoParties;
beforeEach(async () => {
  house = await TwoParties.start(await FakePipeline.start({ translates: translateTone }));
});
afterEach(() => house.stop());

async function pair(index: number): Promise<{ id: string; customer: PhoneCall; agent: StreamClient }> {
  const wanted = { mode: 'bidirectional_translation', routing: { type: 'sip' } };
  const { body } = await house.gateway.rest('POST', '/v1/sessions', wanted);
  const id: string = body.id;
  const stream = house.gateway.streamOf(body);
  const speaks = index < TALKING;
  const options = { parameters: { role: 'agent' }, continuous: speaks };
  const connect = [
    () => connectKallglot(stream, 'agent'),
    () => connectTwilio(stream, options),
    () => connectTelnyx(stream, options),
  ][index % 3] as () => Promise<StreamClient>;
  const [customer, agent] = [await house.call(id, 'customer', { speaks }), await connect()];
  if (speaks) agent.media.play(speech.agent);
  return { id, customer, agent };
}

test('a hundred SIP callers and a hundred clients of streams are heard at once, and all are told of the end', async () => {
  const sessions: Awaited<ReturnType<typeof pair>>[] = [];
  for (let i = 0; i < SESSIONS; i += AT_ONCE)
    sessions.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => pair(i + n)))));
  const active = () => house.gateway.metric('kallglot_calls_active');
  await eventually('all are up', async () => (await active()) === 2 * SESSIONS, 20_000);
  for (const { customer, agent } of sessions.slice(0, LISTENED)) {
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
  }
  const open = await Promise.all(
    ['kallglot', 'twilio', 'telnyx'].map((kind) =>
      house.gateway.metric(`kallglot_streams_open{client="${kind}"}`),
    ),
  );
  expect(open).toEqual([34, 33, 33]);
  expect(sessions.filter(({ customer, agent }) => !customer.isUp || !agent.isOpen)).toEqual([]);

  await Promise.all(sessions.map(({ id }) => house.gateway.rest('POST', `/v1/sessions/${id}/end`)));
  const codes = await Promise.all(sessions.map(async ({ agent }) => (await agent.closed).code));
  expect(new Set(codes)).toEqual(new Set([1000]));
  await eventually('nobody is left', async () => (await active()) === 0);
});
