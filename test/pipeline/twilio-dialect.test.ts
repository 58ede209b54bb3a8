import { createHmac } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { LinkEvent, PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import { createPipelineLinks } from '../../src/pipeline/pipeline-links.ts';
import { twilioDialect } from '../../src/pipeline/twilio-dialect.ts';
import type { Role, SessionMode } from '../../src/roles.ts';
import { type BotConnection, FakeVoiceBot } from '../support/fake-voice-bot.ts';
import { patience, speech, TestLeg } from './link-fixture.ts';

const accountSid = 'AC00112233445566778899aabbccddeeff';
let bot: FakeVoiceBot;
let links: PipelineLink[];
beforeEach(async () => {
  bot = await FakeVoiceBot.start();
  links = [];
});
afterEach(async () => {
  await Promise.all(links.map((link) => link.close(false)));
  await bot.close();
});

async function open(mode: SessionMode = 'ai_agent', keepTrying = false) {
  const dialect = twilioDialect({
    ...{ url: bot.url, tokenSecret: 'a-secret-of-the-tests', accountSid, authToken: 'a-token' },
  });
  const events: LinkEvent[] = [];
  const link = createPipelineLinks({
    dialectOf: () => dialect,
    ...{ reconnectSeconds: 30, clock: systemClock, log: pino({ level: 'silent' }) },
  }).create({
    ...{ sessionId: 'sess_A', organizationId: 'acme', mode, sourceLanguage: 'en', targetLanguage: null },
    ...{ keepTrying, onEvent: (event) => events.push(event) },
  });
  links.push(link);
  await link.open(new AbortController().signal);
  return { link, events };
}

/** A party joins, and its stream begins. */
async function join(link: PipelineLink, role: Role): Promise<{ leg: TestLeg; stream: BotConnection }> {
  const leg = new TestLeg();
  link.attach(role, leg);
  await expect.poll(() => bot.of(role), patience).toBeDefined();
  return { leg, stream: bot.of(role) as BotConnection };
}

/** The fields that Twilio's documentation shows, in its examples' form ("Media Streams: WebSocket Messages"). */
const sid = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}[0-9a-f]{32}$`));

describe('what a bot gets is what Twilio sends', () => {
  test('connected at once, and start when the party joins', async () => {
    const { link } = await open();
    await expect
      .poll(() => bot.connections[0]?.messages, patience)
      .toEqual([{ event: 'connected', protocol: 'Call', version: '1.0.0' }]);
    const { stream } = await join(link, 'customer');
    expect(stream.messages[1]).toEqual({
      event: 'start',
      sequenceNumber: '1',
      start: {
        streamSid: stream.streamSid,
        accountSid,
        callSid: sid('CA'),
        tracks: ['inbound'],
        customParameters: { session_id: 'sess_A', role: 'customer', mode: 'ai_agent', source_language: 'en' },
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
      streamSid: sid('MZ'),
    });
  });

  test('media in pieces of 20 ms, numbered in texts, with the time since the start', async () => {
    const { link } = await open();
    const { leg, stream } = await join(link, 'customer');
    await leg.say(speech(480));
    await expect.poll(() => stream.media.length, patience).toBe(3);
    expect(stream.heard.equals(speech(480))).toBe(true);
    expect(
      stream.media.map(({ event, sequenceNumber, streamSid, media }) => [
        ...[event, sequenceNumber, streamSid, media.track, media.chunk, media.timestamp],
      ]),
    ).toEqual([
      ['media', '2', stream.streamSid, 'inbound', '1', '0'],
      ['media', '3', stream.streamSid, 'inbound', '2', '20'],
      ['media', '4', stream.streamSid, 'inbound', '3', '40'],
    ]);
  });

  test('keys, marks that were played or cleared, and stop when the party leaves', async () => {
    const { link } = await open();
    const { leg, stream } = await join(link, 'customer');
    link.keyPressed('customer', { digit: '5', durationMs: 100, method: 'rtp' });
    stream.say(speech(160));
    stream.mark('heard');
    await expect.poll(() => leg.heard().length, patience).toBe(160);
    await expect.poll(() => stream.messages.length, patience).toBe(4);
    stream.say(speech(8000));
    stream.mark('not heard');
    stream.clear();
    await expect.poll(() => stream.messages.length, patience).toBe(5);
    link.detach('customer');
    await expect.poll(() => stream.messages.length, patience).toBe(6);
    const { streamSid } = stream;
    expect(stream.messages.slice(2)).toEqual([
      { event: 'dtmf', sequenceNumber: '2', dtmf: { track: 'inbound_track', digit: '5' }, streamSid },
      { event: 'mark', sequenceNumber: '3', mark: { name: 'heard' }, streamSid },
      { event: 'mark', sequenceNumber: '4', mark: { name: 'not heard' }, streamSid },
      { event: 'stop', sequenceNumber: '5', stop: { accountSid, callSid: sid('CA') }, streamSid },
    ]);
  });

  test('an upgrade that is signed, at an address of its own for each party', async () => {
    await open('bidirectional_translation');
    expect(bot.connections.map(({ target }) => target).sort()).toEqual([
      '/bot/agent?session=sess_A',
      '/bot/customer?session=sess_A',
    ]);
    for (const { target, headers } of bot.connections) {
      const signed = createHmac('sha1', 'a-token').update(`${bot.server.url}${target}`).digest('base64');
      expect(headers['x-twilio-signature']).toBe(signed);
    }
  });
});

describe('what a bot says', () => {
  test('on a stream is heard by the party of that stream', async () => {
    const { link } = await open('bidirectional_translation');
    const customer = await join(link, 'customer');
    const agent = await join(link, 'agent');
    customer.stream.say(speech(160, 1));
    agent.stream.say(speech(160, 2));
    await expect.poll(() => customer.leg.heard().equals(speech(160, 1)), patience).toBe(true);
    await expect.poll(() => agent.leg.heard().equals(speech(160, 2)), patience).toBe(true);
  });

  test.each([
    ['not JSON', '{"event":', 'invalidFrames'],
    ['without an event', '{"type":"media"}', 'invalidFrames'],
    ['of a name that every object has', '{"event":"constructor"}', 'unknownFrames'],
    ['of an event that is not known', '{"event":"warmup"}', 'unknownFrames'],
    ['whose payload is no base64', '{"event":"media","media":{"payload":"%%%%"}}', 'invalidFrames'],
    ['of another stream', '{"event":"media","streamSid":"MZ0","media":{"payload":"/w=="}}', 'invalidFrames'],
    ['a clear that is very long', `{"event":"clear","x":"${'x'.repeat(70_000)}"}`, 'invalidFrames'],
    ['a mark without a name', '{"event":"mark","mark":{}}', 'invalidFrames'],
  ] as const)('%s costs itself only', async (_what, text, counter) => {
    const { link, events } = await open();
    const { leg, stream } = await join(link, 'customer');
    stream.sendText(text);
    await expect.poll(() => link.stats()[counter], patience).toBe(1);
    stream.say(speech(160));
    await expect.poll(() => leg.heard().length, patience).toBe(160);
    expect(events).toEqual([]);
  });

  test('before its stream has begun is heard by nobody', async () => {
    const { link } = await open();
    await expect.poll(() => bot.connections.length, patience).toBe(1);
    bot.connections[0]?.say(speech(160));
    await expect.poll(() => link.stats().invalidFrames, patience).toBe(1);
  });
});

describe('a bot that goes', () => {
  test('as most do when a stream stops, is there again when the party is back, with a stream of its own', async () => {
    bot.behaviour = { closesAtStop: true };
    const { link } = await open('bidirectional_translation', true);
    const first = await join(link, 'customer');
    link.detach('customer');
    await first.stream.closed;
    await expect.poll(() => bot.connections.length, patience).toBe(3);
    const second = new TestLeg();
    link.attach('customer', second);
    await expect.poll(() => bot.of('customer')?.streamSid !== first.stream.streamSid, patience).toBe(true);
    await second.say(speech(160));
    await expect.poll(() => bot.of('customer')?.heard.length, patience).toBe(160);
    expect(bot.of('customer')?.start?.sequenceNumber).toBe('1');
  });

  test('not when a stream stops is closed then, for none waits for a second start', async () => {
    const { link, events } = await open('bidirectional_translation', true);
    const first = await join(link, 'customer');
    link.detach('customer');
    expect(await first.stream.closed).toBe(1000);
    expect(first.stream.wasToldEnd).toBe(true);
    await expect.poll(() => events.map(({ type }) => type), patience).toEqual(['down', 'up']);
    link.attach('customer', new TestLeg());
    await expect
      .poll(() => bot.connections.length === 3 && bot.of('customer') !== first.stream, patience)
      .toBe(true);
    expect(first.stream.messages.filter(({ event }) => event === 'start').length).toBe(1);
  });

  test.each([1000, 1005])('that a party talks with alone hangs up by closing with %d', async (code) => {
    const { link, events } = await open('ai_agent');
    const { stream } = await join(link, 'customer');
    stream.close(code === 1005 ? undefined : code);
    await expect
      .poll(() => events, patience)
      .toEqual([{ type: 'ended', reason: expect.stringContaining(`${code}`), hangup: true }]);
    await link.close(false);
    expect([link.state, bot.connections.length]).toEqual(['over', 1]);
  });

  test.each([
    ['goes away', 'ai_agent', 1001],
    ['has a failure', 'ai_agent', 1011],
    ['closes one of two', 'bidirectional_translation', 1000],
  ] as const)('and %s is connected to again', async (_what, mode, code) => {
    const { link, events } = await open(mode);
    const { stream } = await join(link, 'customer');
    stream.close(code);
    await expect.poll(() => events.map(({ type }) => type), patience).toEqual(['down', 'up']);
    await expect.poll(() => bot.of('customer') !== stream, patience).toBe(true);
  });

  test('before a stream has begun has not hung up', async () => {
    const { events } = await open('ai_agent');
    await expect.poll(() => bot.connections.length, patience).toBe(1);
    bot.connections[0]?.close(1000);
    await expect.poll(() => events.map(({ type }) => type), patience).toEqual(['down', 'up']);
  });

  test('in mid-word: what was on its way is counted as lost and not sent again', async () => {
    const { link, events } = await open('bidirectional_translation', true);
    const { leg, stream } = await join(link, 'customer');
    await leg.say(speech(1600));
    await expect.poll(() => stream.media.length, patience).toBe(10);
    stream.close(1011);
    await expect.poll(() => events.at(-1)?.type, patience).toBe('up');
    expect(events[0]).toMatchObject({ type: 'down', detail: expect.stringContaining('1011') });
    await leg.say(speech(160, 5));
    await expect.poll(() => bot.of('customer')?.heard.equals(speech(160, 5)), patience).toBe(true);
    expect(link.stats()).toMatchObject({ resentMs: 0, reconnects: 1 });
    expect(link.stats().lostMs).toBeGreaterThan(0);
  });

  test('by a message of 5 MB costs the connection, and the link is up again', async () => {
    const { link, events } = await open('bidirectional_translation', true);
    const { stream } = await join(link, 'customer');
    stream.say(Buffer.alloc(5_000_000, 0xff));
    await expect.poll(() => events.at(-1)?.type, patience).toBe('up');
    expect(link.state).toBe('up');
  });
});
