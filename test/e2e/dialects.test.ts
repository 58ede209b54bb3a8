import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Resampler } from '../../src/audio/resampler.ts';
import { openaiCall } from '../demo/openai-call.ts';
import { FakeOpenai } from '../support/fake-openai.ts';
import { FakeVoiceBot } from '../support/fake-voice-bot.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { tone, translated, translateTone } from '../support/tones.ts';
import { TwoParties } from '../support/two-parties.ts';

/** One gateway with a pipeline of its own for each of two organizations, from `POST /v1/sessions` to heard audio. */
const botKey = 'sk_test_bots_0123456789';
const bots = {
  id: 'bots',
  name: 'Bots',
  api_keys: [botKey],
  sip: { username: 'bots', password: 'bots-password', allowed_ips: ['127.0.0.1'] },
};
let openai: FakeOpenai;
let bot: FakeVoiceBot;
let house: TwoParties<{ close(): Promise<unknown> }>;

beforeAll(async () => {
  // What is to be German was said by the customer.
  const at24k = (hz: number) => new Resampler(8000, 24_000).process(tone(hz, 1000)).slice();
  const translations = { de: at24k(translated.customer), en: at24k(translated.agent) };
  openai = await FakeOpenai.start({
    translates: (language, audio) =>
      audio.every((sample) => Math.abs(sample) < 500)
        ? new Int16Array(audio.length)
        : translations[language as 'de' | 'en'].subarray(0, audio.length),
  });
  bot = await FakeVoiceBot.start({ answers: translateTone });
  process.env.OPENAI_API_KEY = 'sk-of-the-tests';
  const gateway = await TestGateway.start({
    settings: {
      pipeline: {
        dialect: 'openai',
        url: openai.url,
        openai: { transcription_model: 'gpt-realtime-whisper' },
      },
    },
    organizations: [acme, { ...bots, pipeline: { dialect: 'twilio', url: bot.url } }],
  });
  house = new TwoParties(gateway, { close: () => Promise.all([openai.close(), bot.close()]) });
});
afterAll(async () => {
  delete process.env.OPENAI_API_KEY;
  await house?.stop();
});

describe.each([
  ['openai', acme.api_keys[0]],
  ['twilio', botKey],
])('two parties at a pipeline that speaks %s', (_dialect, key) => {
  test('hear each other translated', async () => {
    const session = await house.gateway.session({ source_language: 'en', target_language: 'de' }, key);
    const customer = await house.call(session, 'customer');
    const agent = await house.call(session, 'agent');
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
    await Promise.all([customer.bye(), agent.bye()]);
    await house.gateway.rest('POST', `/v1/sessions/${session}/end`, undefined, key);
  });
});

test('OpenAI is closed in good order with the session, and its words are in the transcript', async () => {
  const { gateway } = house;
  const session = await gateway.session({ source_language: 'en', target_language: 'de' });
  const call = await house.call(session, 'customer');
  await eventually('a session to German', () => openai.to('de')?.closed !== undefined);
  const ofCustomer = openai.sessions.findLast(({ language }) => language === 'de');
  ofCustomer?.send({ type: 'session.input_transcript.delta', delta: 'Hello.' });
  ofCustomer?.send({ type: 'session.output_transcript.delta', delta: 'Hallo.' });
  await call.bye();
  await gateway.rest('POST', `/v1/sessions/${session}/end`);
  await eventually('all closed', () => openai.server.openSockets === 0);
  expect(openai.sessions.slice(-2).every(({ wasToldEnd }) => wasToldEnd)).toBe(true);
  const turns = async () => (await gateway.rest('GET', `/v1/sessions/${session}/transcript`)).body.turns;
  await eventually('a turn', async () => (await turns())?.length === 1);
  expect(await turns()).toMatchObject([
    {
      ...{ speaker: 'customer', language: 'en', text: 'Hello.' },
      translation: { language: 'de', text: 'Hallo.' },
    },
  ]);
});

test('where the key is not accepted the parties hear each other', async () => {
  openai.server.refuse = 401;
  const { gateway } = house;
  const session = await gateway.session({ source_language: 'en', target_language: 'de' });
  const customer = await house.call(session, 'customer');
  const agent = await house.call(session, 'agent');
  await house.hears(customer, 'agent');
  await house.hears(agent, 'customer');
  expect(await house.translation(session)).toBe('degraded');
  openai.server.refuse = undefined;
  await Promise.all([customer.bye(), agent.bye()]);
});

test('the demo of OpenAI tells what was heard, or why it was not', async () => {
  const said: string[] = [];
  expect(await openaiCall((text) => said.push(text), openai.url)).toBe(true);
  expect(said.at(-1)).toMatch(/heard [\d.]+ s of a voice/);
  openai.server.refuse = 401;
  expect(await openaiCall((text) => said.push(text), openai.url)).toBe(false);
  openai.server.refuse = undefined;
  expect(said.at(-1)).toContain('OpenAI does not accept the key of OPENAI_API_KEY (401)');
});
