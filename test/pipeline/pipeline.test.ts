import { pino } from 'pino';
import { expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import { openPipeline } from '../../src/pipeline/pipeline.ts';

const open = (settings: object, openaiKey?: string) =>
  openPipeline(
    parseConfig(settings),
    { tokenSecret: 'a-secret-of-the-tests', openaiKey },
    systemClock,
    pino({ level: 'silent' }),
  );
const organizations = [
  { id: 'one', name: 'One' },
  { id: 'other', name: 'Other', pipeline: { dialect: 'openai' } },
  { id: 'bots', name: 'Bots', pipeline: { dialect: 'twilio', url: 'wss://bot.example.com/media' } },
];
const linkOf = {
  ...{ sessionId: 'sess_A', sourceLanguage: null, targetLanguage: null },
  ...{ mode: 'ai_agent' as const, onEvent: () => undefined },
};

test('an organization has its own pipeline, or the one of the gateway', async () => {
  const links = await open({ organizations }, 'sk-of-the-tests');
  const dialects = ['one', 'other', 'bots', 'made-by-rest'].map(
    (organizationId) => links.create({ ...linkOf, organizationId }).dialect,
  );
  expect(dialects).toEqual(['kallglot', 'openai', 'twilio', 'kallglot']);
  expect(links.inputFormat('one')).toEqual(MULAW_8K);
  expect(links.inputFormat('other')).toEqual({ encoding: 'pcm_16', sampleRateHz: 24_000 });
  await links.close();
});

test.each([
  [{ pipeline: { dialect: 'openai' } }, undefined],
  [{ organizations }, ''],
])('without the key of OpenAI, where somebody needs it, nothing starts: %o', async (settings, key) => {
  await expect(open(settings, key)).rejects.toThrow('OPENAI_API_KEY is not set in the environment');
});

test('a bot needs an address', () => {
  expect(() => parseConfig({ pipeline: { dialect: 'twilio' } })).toThrow('the dialect twilio without a url');
});
