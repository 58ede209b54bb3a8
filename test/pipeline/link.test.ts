import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyToken } from '../../src/session-token.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { fastClock, makeLink, openLink, patience, speech, TestLeg, tokenSecret } from './link-fixture.ts';

let pipeline: FakePipeline;
beforeEach(async () => {
  pipeline = await FakePipeline.start();
});
afterEach(() => pipeline.close());

describe('connecting', () => {
  test('says which session, which mode and which languages, with a token made for it', async () => {
    const { link, sessionId } = await openLink({
      url: pipeline.url,
      sourceLanguage: 'en',
      targetLanguage: 'de-AT',
    });
    const peer = await pipeline.connection();
    expect(peer.headers).toMatchObject({
      'x-kallglot-session': sessionId,
      'x-kallglot-mode': 'bidirectional_translation',
      'x-kallglot-source-language': 'en',
      'x-kallglot-target-language': 'de-AT',
      'user-agent': expect.stringContaining('kallglot'),
    });
    expect(peer.headers).not.toHaveProperty('sec-websocket-extensions');
    expect(peer.target).toContain(`/v1/sessions/${sessionId}/connect?`);
    expect(verifyToken(tokenSecret, peer.token, Date.now())).toBe(sessionId);
    await link.close(false);
  });

  test('a language to be detected is not named', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const { headers } = await pipeline.connection();
    expect(headers).not.toHaveProperty('x-kallglot-source-language');
    expect(headers).not.toHaveProperty('x-kallglot-target-language');
    await link.close(false);
  });

  test('a pipeline that is slow to get ready is waited for', async () => {
    pipeline.behaviour = { readyAfterMs: 100 };
    const { link } = await openLink({ url: pipeline.url });
    await link.close(false);
  });

  test('a link is opened once', async () => {
    const { link } = await openLink({ url: pipeline.url });
    await expect(link.open(new AbortController().signal)).rejects.toThrow('once');
    await link.close(false);
  });

  test('a URL that is none stops the start', () => {
    expect(() => makeLink({ url: 'not a url' })).toThrow(TypeError);
  });
});

describe('audio to the pipeline', () => {
  test('what each party says arrives whole, in order, under its name', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const [customer, agent] = [new TestLeg(), new TestLeg()];
    link.attach('customer', customer);
    link.attach('agent', agent);
    await Promise.all([customer.say(speech(16_000, 1)), agent.say(speech(16_000, 2))]);
    await peer.until(() => peer.audio('customer').length + peer.audio('agent').length >= 32_000);
    expect(peer.audio('customer')).toEqual(speech(16_000, 1));
    expect(peer.audio('agent')).toEqual(speech(16_000, 2));
    expect(peer.chunks('agent').map((chunk) => chunk.sequence)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(link.stats()).toMatchObject({ chunksSent: 200, inputDroppedMs: 0 });
    await link.close(false);
  });

  test('a chunk is as long as configured, and is stamped with the wall clock', async () => {
    const { link } = await openLink({ url: pipeline.url, chunkMs: 200 });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    const before = Date.now();
    await leg.say(speech(3200));
    await peer.until(() => peer.chunks('customer').length === 2);
    const [first, second] = peer.chunks('customer');
    expect(first?.audio.length).toBe(1600);
    expect(first?.timestampMs).toBeGreaterThanOrEqual(before - 400);
    expect(first?.timestampMs).toBeLessThanOrEqual(Date.now());
    expect(second!.timestampMs - first!.timestampMs).toBe(200);
    await link.close(false);
  });

  test('silence is sent like speech', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    await leg.say(Buffer.alloc(1600, 0xff));
    await peer.until(() => peer.audio('customer').length === 1600);
    await link.close(false);
  });

  test('what was said before the pipeline was ready is not lost', async () => {
    const { link } = makeLink({ url: pipeline.url });
    const leg = new TestLeg();
    link.attach('customer', leg);
    await leg.say(speech(3200));
    await link.open(new AbortController().signal);
    const peer = await pipeline.connection();
    await peer.until(() => peer.audio('customer').length === 3200);
    await link.close(false);
  });

  test('on hold nothing is sent; afterwards numbers go on', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    await leg.say(speech(160, 1));
    await peer.until(() => peer.chunks('customer').length === 1);
    link.setHeld('customer', true);
    await leg.say(speech(4000, 2));
    await expect.poll(() => leg.inbound.readable, patience).toBe(0);
    link.setHeld('customer', false);
    await leg.say(speech(160, 3));
    await peer.until(() => peer.chunks('customer').length === 2);
    expect(peer.chunks('customer')[1]).toMatchObject({ sequence: 2, audio: speech(160, 3) });
    await link.close(false);
  });

  test('a party that calls again does not repeat numbers', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    for (const seed of [1, 2]) {
      const leg = new TestLeg();
      link.attach('agent', leg);
      await leg.say(speech(160, seed));
      await peer.until(() => peer.chunks('agent').length === seed);
      link.detach('agent');
    }
    expect(peer.chunks('agent').map((chunk) => chunk.sequence)).toEqual([1, 2]);
    await link.close(false);
  });
});

describe('audio from the pipeline', () => {
  test('is heard by the other party, whatever the length of the messages', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const [customer, agent] = [new TestLeg(), new TestLeg()];
    link.attach('customer', customer);
    link.attach('agent', agent);
    const said = speech(5000);
    peer.say('customer', said.subarray(0, 1));
    peer.say('customer', said.subarray(1, 4500));
    peer.say('customer', said.subarray(4500));
    peer.say('agent', speech(800, 9));
    await expect.poll(() => agent.heard().length, patience).toBe(5000);
    expect(agent.heard()).toEqual(said);
    await expect.poll(() => customer.heard(), patience).toEqual(speech(800, 9));
    expect(link.stats()).toMatchObject({ outputsReceived: 4, queuedMs: 0, invalidFrames: 0 });
    await link.close(false);
  });

  test('in a one-leg mode the leg hears it, whoever is named', async () => {
    const { link } = await openLink({ url: pipeline.url, mode: 'ai_agent' });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    for (const speaker of ['customer', 'agent', 'assistant']) peer.say(speaker, speech(160));
    peer.send({ type: 'audio', data: speech(160).toString('base64'), encoding: 'mulaw', sample_rate: 8000 });
    await expect.poll(() => leg.heard().length, patience).toBe(640);
    await link.close(false);
  });

  test('on hold and after it has left, a party hears nothing of it', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    peer.say('customer', speech(40_000));
    await expect.poll(() => link.stats().outputsReceived, patience).toBe(1);
    link.setHeld('agent', true);
    expect(agent.heard().length).toBe(0);
    peer.say('customer', speech(800));
    await expect.poll(() => link.stats().outputsReceived, patience).toBe(2);
    link.setHeld('agent', false);
    link.keyPressed('agent', { digit: '1', durationMs: 100, method: 'rtp' });
    peer.say('customer', speech(160, 5));
    await expect.poll(() => agent.heard(), patience).toEqual(speech(160, 5));
    peer.say('customer', speech(40_000));
    await expect.poll(() => link.stats().queuedMs, patience).toBeGreaterThan(0);
    link.detach('agent');
    expect(link.stats().queuedMs).toBe(0);
    expect(agent.heard()).toEqual(speech(160, 5));
    await link.close(false);
  });
});

describe('what the pipeline tells', () => {
  test('transcripts and errors are passed on, and the link stays', async () => {
    const { link, events } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const transcript = {
      type: 'transcript.final',
      speaker: 'agent',
      text: 'Grüß Gott',
      translation: 'Hello',
    };
    peer.send(transcript);
    peer.send({ type: 'session.error', code: 'invalid_audio_format', message: 'mulaw only' });
    await expect
      .poll(() => events, patience)
      .toEqual([
        {
          ...{ type: 'transcript', final: true, speaker: 'agent', text: 'Grüß Gott' },
          ...{ id: undefined, language: undefined, translation: { language: undefined, text: 'Hello' } },
        },
        { type: 'error', code: 'invalid_audio_format', message: 'mulaw only' },
      ]);
    await link.close(false);
  });

  test('a session that the pipeline ends is ended, not lost', async () => {
    const { link, events } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    peer.send({ type: 'session.ended', reason: 'credits_exhausted' });
    peer.close();
    await peer.closed;
    await link.close(true);
    expect(events).toEqual([{ type: 'ended', reason: 'credits_exhausted' }]);
    expect(peer.messages).not.toContainEqual({ type: 'session.end' });
  });

  test('the round trip of a ping is measured', async () => {
    const { link } = await openLink({ url: pipeline.url, clock: fastClock(10) });
    expect(link.stats().pingMs).toBe(-1);
    await expect.poll(() => link.stats().pingMs, patience).toBeGreaterThan(0);
    await link.close(false);
  });
});

describe('closing', () => {
  test('an ended session is said good-bye to', async () => {
    const { link, events } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    await link.close(true);
    expect(peer.messages.at(-1)).toEqual({ type: 'session.end' });
    expect(await peer.closed).toBe(1000);
    expect(events).toEqual([]);
    await expect.poll(() => pipeline.openSockets, patience).toBe(0);
  });

  test('what was said last is heard between the good-bye and its answer', async () => {
    pipeline.behaviour = { answersEnd: false };
    const { link, events } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const closed = link.close(true);
    await peer.message('session.end');
    peer.send({ type: 'transcript.final', speaker: 'customer', text: 'Goodbye' });
    peer.send({ type: 'session.error', code: 'x' });
    peer.send({ type: 'session.ended', reason: 'explicit_end' });
    await closed;
    expect(events).toMatchObject([{ type: 'transcript', final: true, text: 'Goodbye' }]);
  });

  test('a link that closes without an end sends none', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    await link.close(false);
    expect(await peer.closed).toBe(1000);
    expect(peer.messages).toEqual([]);
  });

  test('it may be closed again, before it was opened, and while it opens', async () => {
    const { link } = await openLink({ url: pipeline.url });
    await Promise.all([link.close(true), link.close(false)]);
    await link.close(true);

    const unopened = makeLink({ url: pipeline.url }).link;
    await unopened.close(false);
    await expect(unopened.open(new AbortController().signal)).rejects.toThrow();

    pipeline.behaviour = { readyAfterMs: 'never' };
    const opening = makeLink({ url: pipeline.url }).link;
    const opened = expect(opening.open(new AbortController().signal)).rejects.toMatchObject({
      code: 'pipeline_unavailable',
    });
    await pipeline.connection(1);
    await opening.close(false);
    await opened;
    await expect.poll(() => pipeline.openSockets, patience).toBe(0);
  });

  test('closing the room closes every link', async () => {
    const { links, link } = await openLink({ url: pipeline.url });
    const others = [1, 2, 3].map(() =>
      links.create({
        sessionId: 'sess_other',
        organizationId: 'acme',
        mode: 'ai_agent',
        sourceLanguage: null,
        targetLanguage: null,
        onEvent: () => {},
      }),
    );
    await Promise.all(others.map((other) => other.open(new AbortController().signal)));
    await links.close();
    await expect.poll(() => pipeline.openSockets, patience).toBe(0);
    await link.close(true);
  });
});

describe('extensions', () => {
  test('off: the pipeline gets the three types of the contract and no more', async () => {
    const { link } = await openLink({ url: pipeline.url, clock: fastClock(20) });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('agent', leg);
    link.setHeld('agent', true);
    link.setHeld('agent', false);
    peer.say('customer', speech(16_000));
    peer.send({ type: 'audio.clear', speaker: 'customer' });
    peer.send({ type: 'audio.mark', speaker: 'customer', name: 'x' });
    await expect.poll(() => link.stats().unknownFrames, patience).toBe(2);
    await expect.poll(() => leg.heard().length, patience).toBe(16_000);
    link.detach('agent');
    await peer.message('ping');
    await link.close(true);
    expect(new Set(peer.messages.map((message) => message.type))).toEqual(new Set(['ping', 'session.end']));
  });

  test('the pipeline is told what becomes of the legs', async () => {
    const { link } = makeLink({ url: pipeline.url, extensions: true });
    link.attach('customer', new TestLeg());
    link.setHeld('customer', true);
    await link.open(new AbortController().signal);
    link.attach('agent', new TestLeg());
    link.setHeld('agent', false);
    link.setHeld('customer', false);
    link.detach('agent');
    link.detach('agent');
    await link.close(true);
    const { messages } = await pipeline.connection();
    expect(messages).toEqual([
      { type: 'leg', role: 'customer', state: 'joined' },
      { type: 'leg', role: 'customer', state: 'held' },
      { type: 'leg', role: 'agent', state: 'joined' },
      { type: 'leg', role: 'customer', state: 'resumed' },
      { type: 'leg', role: 'agent', state: 'left' },
      { type: 'session.end' },
    ]);
  });

  test('the pipeline is told of key presses, of whom it hears', async () => {
    const { link } = await openLink({ url: pipeline.url, extensions: true });
    const peer = await pipeline.connection();
    const press = (digit: string, durationMs: number) => ({ digit, durationMs, method: 'rtp' as const });
    link.keyPressed('customer', press('1', 100));
    link.attach('customer', new TestLeg());
    link.keyPressed('customer', press('2', 120));
    link.setHeld('customer', true);
    link.keyPressed('customer', press('3', 100));
    link.setHeld('customer', false);
    link.keyPressed('customer', press('#', 80));
    await link.close(true);
    await peer.message('session.end');
    expect(peer.messages.filter(({ type }) => type === 'dtmf')).toEqual([
      { type: 'dtmf', speaker: 'customer', digit: '2', duration_ms: 120 },
      { type: 'dtmf', speaker: 'customer', digit: '#', duration_ms: 80 },
    ]);
  });

  test('a mark is answered when the party has heard what was before it', async () => {
    const { link } = await openLink({ url: pipeline.url, extensions: true });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    peer.say('customer', speech(800));
    peer.send({ type: 'audio.mark', speaker: 'customer', name: 'sentence 1' });
    await expect.poll(() => agent.heard().length, patience).toBe(800);
    expect(await peer.message('audio.mark')).toEqual({
      type: 'audio.mark',
      name: 'sentence 1',
      played: true,
    });
    await link.close(false);
  });

  test('a clear stops at once what has not been played, and answers its marks', async () => {
    const { link } = await openLink({ url: pipeline.url, extensions: true });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    peer.say('customer', speech(80_000));
    peer.send({ type: 'audio.mark', speaker: 'customer', name: 'long' });
    await expect.poll(() => agent.outbound.readable, patience).toBe(1600);
    peer.send({ type: 'audio.clear', speaker: 'customer' });
    expect(await peer.message('audio.mark')).toEqual({ type: 'audio.mark', name: 'long', played: false });
    peer.say('customer', speech(160, 3));
    await expect.poll(() => agent.heard(), patience).toEqual(speech(160, 3));
    await link.close(false);
  });
});

describe('latency', () => {
  test('to the pipeline it counts from the last packet of a chunk, from the pipeline to the next tick of the leg', async () => {
    const { link } = await openLink({ url: pipeline.url, mode: 'ai_agent' });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    // Chunks of 20 ms, that came 500 ms ago.
    for (let i = 0; i < 3; i++) {
      leg.inbound.write(speech(160, i));
      leg.inbound.latency.note(leg.inbound.written, performance.now() - 500);
    }
    await peer.until(() => peer.chunks('customer').length === 3);
    await expect.poll(() => total(leg.inbound), patience).toBe(3);
    expect(percentilesOf(leg.inbound.latency.read())?.p50).toBeGreaterThanOrEqual(500);

    const sentAt = performance.now();
    peer.say('customer', speech(800));
    await expect.poll(() => leg.outbound.readable, patience).toBe(800);
    leg.outbound.latency.countNoted(sentAt + 60_000);
    expect(total(leg.outbound)).toBe(1);
    expect(percentilesOf(leg.outbound.latency.read())?.p50).toBeGreaterThan(2000);
    await link.close(false);
  });

  test('what waits for audio that came before counts with the next tick, as if it were alone', async () => {
    const { link } = await openLink({ url: pipeline.url, mode: 'ai_agent' });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    for (let i = 0; i < 5; i++) peer.say('customer', speech(1600, i));
    await expect.poll(() => link.stats().outputsReceived, patience).toBe(5);
    leg.outbound.latency.countNoted(performance.now());
    expect(total(leg.outbound)).toBe(5);
    await link.close(false);
  });
});

const total = (ring: TestLeg['inbound']) => ring.latency.read().reduce((sum, count) => sum + count, 0);
