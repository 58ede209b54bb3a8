import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { spoken, translated, translateTone } from '../support/tones.ts';
import { TwoParties } from '../support/two-parties.ts';

type Say = (text: string) => void;

/**
 * A customer and an agent in one session of a gateway of their own, at a pipeline that translates a tone to another; then
 * the pipeline is taken away and comes back, and each step is told in plain words.
 * @returns whether each party heard what it should at every step
 */
export async function twoPartyCall(say: Say): Promise<boolean> {
  say(
    '\nNow two parties in one session, each with a phone that speaks a tone, and a pipeline that translates',
  );
  say(`a tone to another: ${tones('customer')}, ${tones('agent')}.`);
  const pipeline = await FakePipeline.start({ translates: translateTone });
  const house = await TwoParties.start(pipeline);
  try {
    await converse(house, say);
    return true;
  } catch (error) {
    say(`That did not work: ${(error as Error).message}.`);
    return false;
  } finally {
    await house.stop();
  }
}

const tones = (role: keyof typeof spoken): string =>
  `the ${role}'s ${spoken[role]} Hz to ${translated[role]} Hz`;

async function converse(house: TwoParties, say: Say): Promise<void> {
  const session = await house.gateway.session({ source_language: 'en', target_language: 'de' });
  const customer = await house.call(session, 'customer');
  const agent = await house.call(session, 'agent');
  const tell = async (translation: string, words: string) => {
    const isShown = async () => (await house.translation(session)) === translation;
    await eventually(`GET shows "${translation}"`, isShown);
    say(`${words} GET /v1/sessions/${session} shows "translation": "${translation}".`);
  };
  await eachHears(house, { customer, agent }, ' translated');
  await tell('active', 'Both called, and each hears the other translated, and not itself.');

  const killedAt = performance.now();
  await house.pipeline.kill();
  await eachHears(house, { customer, agent }, '');
  const passedAfter = seconds(killedAt);
  await tell(
    'degraded',
    `The pipeline was taken away, and ${passedAfter} later they hear each other as they are.`,
  );

  const restartedAt = performance.now();
  await house.pipeline.restart();
  await eachHears(house, { customer, agent }, ' translated');
  const translatedAfter = seconds(restartedAt);
  await tell(
    'active',
    `The pipeline came back, and ${translatedAfter} later each hears the other translated.`,
  );
  await Promise.all([customer.bye(), agent.bye()]);
}

async function eachHears(
  house: TwoParties,
  { customer, agent }: { customer: PhoneCall; agent: PhoneCall },
  how: '' | ' translated',
): Promise<void> {
  await house.hears(customer, `agent${how}`);
  await house.hears(agent, `customer${how}`);
}

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
