import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { openaiDialect } from '../../src/pipeline/openai-dialect.ts';
import type { LinkEvent, LinkOptions, PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import { createPipelineLinks } from '../../src/pipeline/pipeline-links.ts';
import { FakeOpenai, type FakeTranslationSession } from '../support/fake-openai.ts';
import { decode } from '../support/g711.ts';
import { levelDb, tone, translated } from '../support/tones.ts';
import { fastClock, patience, speech, TestLeg } from './link-fixture.ts';

const pcm24k = { encoding: 'pcm_16', sampleRateHz: 24_000 } as const;
/** A chunk of what a party says. */
const CHUNK_BYTES = 9600;
const key = 'sk-proj-of_the-tests';
let openai: FakeOpenai;
let links: PipelineLink[];
beforeEach(async () => {
  openai = await FakeOpenai.start();
  links = [];
});
afterEach(async () => {
  await Promise.all(links.map((link) => link.close(false)));
  await openai.close();
});

interface Wishes extends Partial<LinkOptions> {
  transcriptionModel?: string;
  clock?: Clock;
}

function make({ transcriptionModel, clock = fastClock(1), ...wishes }: Wishes = {}) {
  const dialect = openaiDialect({
    ...{ url: openai.url, key, model: 'gpt-realtime-translate', transcriptionModel },
  });
  const events: LinkEvent[] = [];
  const link = createPipelineLinks({
    dialectOf: () => dialect,
    ...{ reconnectSeconds: 30, clock, log: pino({ level: 'silent' }) },
  }).create({
    ...{ sessionId: 'sess_A', organizationId: 'acme', mode: 'bidirectional_translation' },
    ...{ sourceLanguage: 'en', targetLanguage: 'pt-BR', keepTrying: true, ...wishes },
    onEvent: (event) => events.push(event),
  });
  links.push(link);
  return { link, events, opened: link.open(new AbortController().signal) };
}

async function open(wishes: Wishes = {}) {
  const made = make(wishes);
  await made.opened;
  const [customer, agent] = [new TestLeg(pcm24k), new TestLeg(pcm24k)];
  made.link.attach('customer', customer);
  made.link.attach('agent', agent);
  /** What carries the customer's speech, and the agent's. */
  const ofCustomer = openai.to('pt') as FakeTranslationSession;
  const ofAgent = openai.to('en') as FakeTranslationSession;
  return { ...made, customer, agent, ofCustomer, ofAgent };
}

const transcripts = (events: readonly LinkEvent[]) =>
  events.flatMap((event) => (event.type === 'transcript' ? [event] : []));

describe('a translation session', () => {
  test('is one for what each party says, in the language of the other, with the key of the environment', async () => {
    await open();
    expect(openai.sessions.map(({ language }) => language).sort()).toEqual(['en', 'pt']);
    for (const session of openai.sessions) {
      expect(session.target).toBe('/v1/realtime/translations?model=gpt-realtime-translate');
      expect(session.headers.authorization).toBe(`Bearer ${key}`);
      expect(session.received).toEqual([
        {
          type: 'session.update',
          session: { audio: { input: { transcription: null }, output: { language: session.language } } },
        },
      ]);
    }
  });

  test('gets PCM of 24 kHz in chunks of 200 ms, silence too', async () => {
    const { customer, ofCustomer, ofAgent } = await open();
    const said = Buffer.concat([speech(2 * CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]);
    await customer.say(said);
    await expect.poll(() => ofCustomer.heard.length, patience).toBe(said.length);
    expect(ofCustomer.chunkBytes).toEqual([CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES]);
    expect(ofCustomer.heard.equals(said)).toBe(true);
    expect(ofAgent.heard.length).toBe(0);
  });

  test('is heard by the other party, whatever length and rate its audio has', async () => {
    const { agent, ofCustomer } = await open();
    const at8k = tone(translated.customer, 300);
    const delta = Buffer.from(at8k.buffer).toString('base64');
    ofCustomer.send({ type: 'session.output_audio.delta', delta, sample_rate: 8000 });
    await expect.poll(() => agent.heard().length, patience).toBe(2400);
    expect(levelDb(decode('PCMU', agent.heard()), translated.customer)).toBeGreaterThan(-1);
  });

  test('is closed in good order, and its last words are waited for', async () => {
    openai.behaviour = { answersClose: false };
    const { link, events, ofCustomer, ofAgent } = await open({ transcriptionModel: 'gpt-realtime-whisper' });
    const closed = link.close(true);
    await expect.poll(() => ofCustomer.wasToldEnd && ofAgent.wasToldEnd, patience).toBe(true);
    ofCustomer.send({ type: 'session.input_transcript.delta', delta: 'Good-bye' });
    ofCustomer.send({ type: 'session.output_transcript.delta', delta: 'Adeus' });
    for (const session of openai.sessions) session.send({ type: 'session.closed' });
    await closed;
    expect(transcripts(events).at(-1)).toMatchObject({
      ...{ final: true, speaker: 'customer', text: 'Good-bye', translation: { text: 'Adeus' } },
    });
  });
});

describe('transcripts', () => {
  test('are made of the fragments of both sides; a turn ends by 2 s of speech without any', async () => {
    const { events, customer, ofCustomer } = await open({ transcriptionModel: 'gpt-realtime-whisper' });
    expect(ofCustomer.transcriptionModel).toBe('gpt-realtime-whisper');
    ofCustomer.send({ type: 'session.input_transcript.delta', delta: 'Hello', elapsed_ms: 400 });
    ofCustomer.send({ type: 'session.input_transcript.delta', delta: ', you.', elapsed_ms: 600 });
    ofCustomer.send({ type: 'session.output_transcript.delta', delta: ' Olá, você.', elapsed_ms: null });
    await expect.poll(() => events.length, patience).toBe(3);
    await customer.say(Buffer.alloc(10 * CHUNK_BYTES));
    await expect.poll(() => events.length, patience).toBe(4);
    const turn = { type: 'transcript', speaker: 'customer', id: undefined, language: undefined };
    const translation = { language: undefined, text: 'Olá, você.' };
    expect(events).toEqual([
      { ...turn, final: false, text: 'Hello', translation: undefined },
      { ...turn, final: false, text: 'Hello, you.', translation: undefined },
      { ...turn, final: false, text: 'Hello, you.', translation },
      { ...turn, final: true, text: 'Hello, you.', translation },
    ]);
  });

  test('of a connection that is lost end with it', async () => {
    const { events, ofAgent } = await open({ transcriptionModel: 'gpt-realtime-whisper' });
    ofAgent.send({ type: 'session.input_transcript.delta', delta: 'Half a' });
    ofAgent.close(1011);
    await expect
      .poll(() => transcripts(events).at(-1), patience)
      .toMatchObject({
        ...{ final: true, speaker: 'agent', text: 'Half a' },
      });
  });

  test('are none where nobody asked for them', async () => {
    const { link, events, ofCustomer } = await open();
    ofCustomer.send({ type: 'session.output_transcript.delta', delta: 'Olá' });
    ofCustomer.sendText('mumble');
    await expect.poll(() => link.stats().invalidFrames, patience).toBe(1);
    expect(events).toEqual([]);
  });
});

describe('what the service says', () => {
  test.each([
    ['not JSON', '{"type":', 'invalidFrames'],
    ['of a type that is not known', '{"type":"session.rested","event_id":"e"}', 'unknownFrames'],
    ['of a type that every object has', '{"type":"constructor"}', 'unknownFrames'],
    ['audio that is no base64', '{"type":"session.output_audio.delta","delta":"%%%%"}', 'invalidFrames'],
    ['audio in stereo', '{"type":"session.output_audio.delta","delta":"AAA=","channels":2}', 'invalidFrames'],
    ['half a sample', '{"type":"session.output_audio.delta","delta":"AA=="}', 'invalidFrames'],
    [
      'words without end',
      `{"type":"session.output_transcript.delta","delta":"${'x'.repeat(70_000)}"}`,
      'invalidFrames',
    ],
  ] as const)('%s costs itself only', async (_what, text, counter) => {
    const { link, events, agent, ofCustomer } = await open();
    ofCustomer.sendText(text);
    await expect.poll(() => link.stats()[counter], patience).toBe(1);
    ofCustomer.say(new Int16Array(4800).fill(1000));
    await expect.poll(() => agent.heard().length, patience).toBeGreaterThan(1500);
    expect(events).toEqual([]);
  });

  test('an error that it can go on after is told, and the key that it repeats is not', async () => {
    const { link, events, ofCustomer } = await open();
    ofCustomer.fail('rate_limit_exceeded', 'Too much for sk-proj-abc***xyz, slow down', 'rate_limit_error');
    await expect
      .poll(() => events, patience)
      .toEqual([{ type: 'error', code: 'rate_limit_exceeded', message: 'Too much for sk-…, slow down' }]);
    expect(link.state).toBe('up');
  });

  test('a message of 5 MB costs the connection, and the link is up again', async () => {
    const { events, ofCustomer } = await open();
    ofCustomer.sendText('x'.repeat(5_000_000));
    await expect.poll(() => events.at(-1)?.type, patience).toBe('up');
  });
});

describe('a session that has lasted as long as it may', () => {
  test.each([
    [
      'says so',
      (session: FakeTranslationSession) =>
        session.fail('session_expired', 'Your session hit the maximum duration of 60 minutes.'),
      'as long as OpenAI lets one',
    ],
    [
      'is closed',
      (session: FakeTranslationSession) =>
        session.close(1001, 'Your session hit the maximum duration of 60 minutes.'),
      'maximum duration',
    ],
    [
      'ends',
      (session: FakeTranslationSession) => session.send({ type: 'session.closed' }),
      'OpenAI closed the session',
    ],
  ])('%s, and another takes its place', async (_how, expire, detail) => {
    const { link, events, customer, ofCustomer } = await open();
    await customer.say(speech(CHUNK_BYTES));
    await expect.poll(() => ofCustomer.heard.length, patience).toBe(CHUNK_BYTES);
    expire(ofCustomer);
    await expect.poll(() => events.at(-1)?.type, patience).toBe('up');
    expect(events[0]).toMatchObject({ type: 'down', detail: expect.stringContaining(detail) });
    // What was not confirmed went with it, and is not said twice.
    expect(events.at(-1)).toMatchObject({ resentMs: 0, lostMs: 200 });
    expect(openai.sessions.length).toBe(3);
    await customer.say(speech(CHUNK_BYTES, 7));
    await expect.poll(() => openai.to('pt')?.heard.equals(speech(CHUNK_BYTES, 7)), patience).toBe(true);
    expect(link.stats()).toMatchObject({ reconnects: 1, lostMs: 200 });
  });
});

describe('a service that does not want us', () => {
  test.each([
    [401, 'does not accept the key of OPENAI_API_KEY (401)'],
    [404, 'does not know the model'],
    [429, 'limit of this account is reached'],
    [500, 'has a failure of its own (500)'],
  ])('answering with %i is told in plain words, without the key', async (status, words) => {
    openai.server.refuse = status;
    const { opened } = make({ keepTrying: false });
    await expect(opened).rejects.toMatchObject({
      ...{ code: 'pipeline_unavailable', detail: expect.stringContaining(words) },
    });
    await expect(opened).rejects.toMatchObject({ detail: expect.not.stringContaining(key) });
  });

  test('for good is tried again once a minute, not all the time', async () => {
    openai.server.refuse = 401;
    const clock = { now: Date.now, time: 0, monotonic: () => clock.time };
    const { events } = make({ clock });
    await expect.poll(() => openai.server.attempts, patience).toBe(2);
    await expect.poll(() => events.length, patience).toBe(2);
    expect(events[0]).toEqual({
      ...{ type: 'failed', detail: 'OpenAI does not accept the key of OPENAI_API_KEY (401)' },
    });
    // A pause is shorter by a fifth at most.
    clock.time = 47_999;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(openai.server.attempts).toBe(2);
    openai.server.refuse = undefined;
    clock.time = 60_000;
    await expect.poll(() => links[0]?.state, patience).toBe('up');
  });

  test('for good ends a call that cannot go on without it, at once', async () => {
    const { events, ofAgent } = await open({ keepTrying: false });
    ofAgent.fail('insufficient_quota', 'You exceeded your current quota.');
    const detail = "OpenAI's account has no credit left (insufficient_quota)";
    await expect
      .poll(() => events, patience)
      .toEqual([
        { type: 'down', detail },
        { type: 'lost', detail },
      ]);
  });

  test('in a language that it does not speak says so before it is ready', async () => {
    openai.behaviour = {
      accepts: {
        type: 'invalid_request_error',
        code: 'invalid_value',
        message: "Unsupported language 'pt'.",
      },
    };
    await expect(make({ keepTrying: false }).opened).rejects.toMatchObject({
      detail: "OpenAI refused the session: Unsupported language 'pt'. (invalid_value)",
    });
  });

  test.each([
    [{ targetLanguage: null }, 'both source_language and target_language'],
    [{ mode: 'ai_agent' }, 'it has no ai_agent'],
  ] as const)('is not even asked for %o', async (wishes, words) => {
    await expect(make({ ...wishes, keepTrying: false }).opened).rejects.toMatchObject({
      detail: expect.stringContaining(words),
    });
    // What was begun before would be there before these two.
    await make().opened;
    expect(openai.server.attempts).toBe(2);
  });
});

test('while one direction is missing, what comes of the other is not queued for later', async () => {
  const { link, events, agent, ofCustomer, ofAgent } = await open({ clock: fastClock(20) });
  const fiveSeconds = new Int16Array(5 * 24_000).fill(1000);
  ofCustomer.say(fiveSeconds);
  await expect.poll(() => link.stats().queuedMs, patience).toBeGreaterThan(4000);
  openai.server.refuse = 503;
  ofAgent.close(1011);
  // After a second of it the parties hear each other, and what is queued goes; the leg's ring holds no more than 200 ms.
  await expect.poll(() => link.stats().queuedMs, patience).toBeLessThan(300);
  expect(events[0]?.type).toBe('down');
  agent.heard();
  ofCustomer.say(fiveSeconds);
  await expect.poll(() => link.stats().outputsReceived, patience).toBe(2);
  expect(link.stats().queuedMs).toBe(0);
});

test('a service that never reads costs the oldest speech, and nobody waits for it', async () => {
  const { link, customer, ofCustomer } = await open();
  ofCustomer.stall();
  // Far more than the sockets and the link hold.
  const minute = speech(300 * CHUNK_BYTES);
  await customer.say(minute);
  await expect.poll(() => link.stats().inputDroppedMs, patience).toBeGreaterThan(0);
  expect(link.state).toBe('up');
});
