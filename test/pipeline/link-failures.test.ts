import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import { type FakeConnection, FakePipeline } from '../support/fake-pipeline.ts';
import {
  fastClock,
  ManualClock,
  makeLink,
  openLink,
  patience,
  speech,
  TestLeg,
  type TestLink,
} from './link-fixture.ts';

let pipeline: FakePipeline;
beforeEach(async () => {
  pipeline = await FakePipeline.start();
});
afterEach(() => pipeline.close());

const opening = ({ link }: TestLink) => link.open(new AbortController().signal);
/** What is told of a link that is not opened again. */
const lost = (detail: string) => [
  { type: 'down', detail },
  { type: 'lost', detail },
];
const nothingLeftOpen = () => expect.poll(() => pipeline.openSockets, patience).toBe(0);

describe('a pipeline that is not available', () => {
  test('never ready: refused after 5 s, and not before', async () => {
    pipeline.behaviour = { readyAfterMs: 'never' };
    const clock = new ManualClock();
    const made = makeLink({ url: pipeline.url, clock });
    let settled = false;
    const opened = opening(made).finally(() => {
      settled = true;
    });
    const peer = await pipeline.connection();
    peer.send({ type: 'pong' });
    await expect.poll(() => made.link.stats().bytesReceived, patience).toBeGreaterThan(0);
    clock.time = 4999;
    expect(settled).toBe(false);
    clock.time = 5000;
    await expect(opened).rejects.toMatchObject({
      code: 'pipeline_unavailable',
      detail: 'not ready within 5000 ms',
    });
    await nothingLeftOpen();
    expect(made.events).toEqual([]);
    await made.link.close(true);
  });

  test.each([401, 503])('an upgrade refused with %i is told as such', async (status) => {
    pipeline.behaviour = { refuse: status };
    await expect(opening(makeLink({ url: pipeline.url }))).rejects.toMatchObject({
      code: 'pipeline_unavailable',
      detail: expect.stringContaining(`${status}`),
    });
    expect(pipeline.attempts).toBe(1);
    await nothingLeftOpen();
  });

  test('nobody listens', async () => {
    const url = pipeline.url;
    await pipeline.close();
    await expect(opening(makeLink({ url }))).rejects.toMatchObject({ code: 'pipeline_unavailable' });
  });

  test('something listens that says nothing', async () => {
    const server = createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const made = makeLink({ url: `ws://127.0.0.1:${port}/`, clock: fastClock(50) });
    await expect(opening(made)).rejects.toMatchObject({ code: 'pipeline_unavailable' });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  test.each([
    [
      'ends the session',
      (peer: { send(message: object): void }) => peer.send({ type: 'session.ended', reason: 'no_credits' }),
      'no_credits',
    ],
    [
      'closes',
      (peer: { close(code: number, reason: string): void }) => peer.close(4001, 'go away'),
      '4001 go away',
    ],
    ['resets', (peer: { reset(): void }) => peer.reset(), ''],
  ])('it %s instead of getting ready', async (_name, act, detail) => {
    pipeline.behaviour = { readyAfterMs: 'never' };
    const made = makeLink({ url: pipeline.url });
    const opened = expect(opening(made)).rejects.toMatchObject({
      code: 'pipeline_unavailable',
      detail: expect.stringContaining(detail),
    });
    act(await pipeline.connection());
    await opened;
    expect(made.events).toEqual([]);
    await nothingLeftOpen();
  });

  test('a header that cannot be sent is a refusal, not a crash', async () => {
    const made = makeLink({ url: pipeline.url, sourceLanguage: 'en\r\nX-Evil: 1' });
    await expect(opening(made)).rejects.toMatchObject({ code: 'pipeline_unavailable' });
    await made.link.close(true);
    expect(pipeline.attempts).toBe(0);
  });
});

describe('a caller who gives up', () => {
  test('before the attempt: nothing is connected', async () => {
    await expect(makeLink({ url: pipeline.url }).link.open(AbortSignal.abort())).rejects.toThrow('aborted');
    expect(pipeline.attempts).toBe(0);
  });

  test('while the connection is set up', async () => {
    const abort = new AbortController();
    const opened = makeLink({ url: pipeline.url }).link.open(abort.signal);
    abort.abort();
    await expect(opened).rejects.toThrow('aborted');
    await nothingLeftOpen();
  });

  test('while the pipeline is not ready', async () => {
    pipeline.behaviour = { readyAfterMs: 'never' };
    const abort = new AbortController();
    const made = makeLink({ url: pipeline.url });
    const opened = made.link.open(abort.signal);
    await pipeline.connection();
    abort.abort();
    await expect(opened).rejects.toThrow('aborted');
    await nothingLeftOpen();
    await made.link.close(false);
  });

  test('after it was ready: the link stays', async () => {
    const abort = new AbortController();
    const { link } = makeLink({ url: pipeline.url });
    await link.open(abort.signal);
    abort.abort();
    const leg = new TestLeg();
    link.attach('customer', leg);
    await leg.say(speech(160));
    const peer = await pipeline.connection();
    await peer.until(() => peer.chunks('customer').length === 1);
    await link.close(false);
  });
});

describe('a pipeline that is lost', () => {
  test.each([
    ['resets the socket', (peer: { reset(): void }) => peer.reset()],
    ['closes', (peer: { close(): void }) => peer.close()],
    ['breaks the framing', (peer: { sendRaw(bytes: Buffer): void }) => peer.sendRaw(Buffer.alloc(64, 0xff))],
    [
      'sends more than 1 MiB in one message',
      (peer: { send(text: string): void }) => peer.send(`"${'x'.repeat(1024 * 1024)}"`),
    ],
    [
      'sends more than 1 MiB in fragments',
      (peer: { sendFragmented(text: string, size: number): void }) =>
        peer.sendFragmented('x'.repeat(1024 * 1024 + 1), 100_000),
    ],
  ])('when it %s: told once, nothing left open', async (_name, act) => {
    const { link, events } = await openLink({ url: pipeline.url });
    act(await pipeline.connection());
    await expect.poll(() => events, patience).toEqual(lost(expect.stringMatching(/./)));
    await nothingLeftOpen();
    await link.close(true);
    expect(events.length).toBe(2);
  });

  test('when it does not answer a ping for 3 s', async () => {
    pipeline.behaviour = { answersPings: false };
    const { link, events } = await openLink({ url: pipeline.url, clock: fastClock(20) });
    await expect.poll(() => events, patience).toEqual(lost('a ping was not answered'));
    await nothingLeftOpen();
    await link.close(false);
  });

  test('when it hangs and reads nothing', async () => {
    const { link, events } = await openLink({ url: pipeline.url, clock: fastClock(20) });
    const peer = await pipeline.connection();
    peer.stall();
    await expect.poll(() => events.length, patience).toBe(2);
    // It can see the end only once it reads again.
    peer.resume();
    await nothingLeftOpen();
    await link.close(false);
  });

  test('audio does not come back to life afterwards', async () => {
    const { link, events } = await openLink({ url: pipeline.url });
    const leg = new TestLeg();
    link.attach('customer', leg);
    (await pipeline.connection()).reset();
    await expect.poll(() => events.length, patience).toBe(2);
    await leg.say(speech(1600));
    link.setHeld('customer', true);
    link.detach('customer');
    expect(link.stats().chunksSent).toBe(0);
    await link.close(true);
  });
});

describe('a pipeline that sends what it should not', () => {
  test('every unusable frame is counted, and costs nothing else', async () => {
    const { link, events } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    const audio = { encoding: 'mulaw', sample_rate_hz: 8000, payload: 'AAAA' };
    const output = (changed: object, speaker: unknown = 'customer') =>
      peer.send({ type: 'audio.output', sequence: 1, speaker, audio: { ...audio, ...changed } });
    peer.send('{"type":');
    peer.send('');
    peer.sendBinary(Buffer.alloc(100, 1));
    output({ payload: 'not base64!' });
    output({ payload: 'A' });
    output({ encoding: 'pcm_16', payload: Buffer.alloc(321).toString('base64') });
    output({ encoding: 'opus' });
    output({ sample_rate_hz: 11_025 });
    output({}, 'nobody');
    output({}, null);
    peer.send({ type: 'audio', data: 'AAAA', encoding: 'mulaw', sample_rate: 8000 });
    // A text frame of 4 bytes that are not UTF-8.
    peer.sendRaw(Buffer.from([0x81, 0x04, 0xff, 0xfe, 0xc0, 0x80]));
    peer.send({ type: 'something.new' });
    await expect.poll(() => link.stats().unknownFrames, patience).toBe(1);
    expect(link.stats().invalidFrames).toBe(12);
    peer.say('customer', speech(160));
    await expect.poll(() => agent.heard(), patience).toEqual(speech(160));
    expect(events).toEqual([]);
    await link.close(true);
  });

  test('a message in many fragments, with a WebSocket ping between them, is one message', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    const payload = speech(3200).toString('base64');
    const audio = { encoding: 'mulaw', sample_rate_hz: 8000, payload };
    peer.sendFragmented(JSON.stringify({ type: 'audio.output', speaker: 'customer', audio }), 13);
    await expect.poll(() => agent.heard(), patience).toEqual(speech(3200));
    await link.close(false);
  });

  test('60 s at once are queued; 10 s more cost the oldest 10 s', async () => {
    const { link } = await openLink({ url: pipeline.url });
    const peer = await pipeline.connection();
    const agent = new TestLeg();
    link.attach('agent', agent);
    peer.say('customer', speech(480_000));
    await expect.poll(() => link.stats().queuedMs, patience).toBeGreaterThanOrEqual(60_000);
    peer.say('customer', speech(80_000, 1));
    await expect.poll(() => link.stats().outputsReceived, patience).toBe(2);
    const { queuedMs, outputDroppedMs } = link.stats();
    expect(queuedMs).toBeLessThanOrEqual(60_200);
    expect(queuedMs + outputDroppedMs).toBe(70_000);
    await link.close(false);
  });
});

describe('a pipeline that reads too slowly', () => {
  test('costs the oldest unsent audio, not our memory, and goes on when it reads again', async () => {
    pipeline.behaviour = { reads: false };
    // The clock stands still, so that no ping is missed: this is about a slow pipeline, not a dead one.
    const { link, events } = await openLink({
      url: pipeline.url,
      extensions: true,
      clock: new ManualClock(),
    });
    const peer = await pipeline.connection();
    const leg = new TestLeg();
    link.attach('customer', leg);
    await fillSockets(link, peer, leg);
    const before = process.memoryUsage().arrayBuffers;
    const { chunksSent, inputDroppedMs } = link.stats();
    await leg.say(speech(480_000));
    await expect.poll(() => leg.inbound.readable, patience).toBe(0);
    expect(link.stats().chunksSent).toBe(chunksSent);
    // 7 s are kept: what an outage may last, and what a pipeline may have got before it.
    expect(link.stats().inputDroppedMs - inputDroppedMs).toBeGreaterThanOrEqual(53_000);
    expect(link.stats().lostMs).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    peer.resume();
    await leg.say(speech(160, 42));
    await peer.until(() => peer.chunks('customer').at(-1)?.audio.equals(speech(160, 42)) ?? false);
    const numbers = peer.chunks('customer').map(({ sequence }) => sequence);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    expect(numbers.at(-1)).toBeGreaterThan(numbers.length + 2500);
    expect(events).toEqual([]);
    await link.close(false);
  }, 60_000);

  /** Has the link write answers that nobody reads, until its speech waits behind them. */
  async function fillSockets(link: PipelineLink, peer: FakeConnection, leg: TestLeg): Promise<void> {
    const mark = JSON.stringify({ type: 'audio.mark', speaker: 'customer', name: 'x'.repeat(200) });
    for (let stuck = 0; stuck < 3; ) {
      const { bytesReceived, chunksSent } = link.stats();
      for (let i = 0; i < 200; i++) peer.send(mark);
      await expect.poll(() => link.stats().bytesReceived, patience).toBe(bytesReceived + 200 * mark.length);
      await leg.say(speech(160));
      await expect.poll(() => leg.inbound.readable, patience).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      stuck = link.stats().chunksSent === chunksSent ? stuck + 1 : 0;
    }
  }
});

test('a pipeline that asks for answers without end and does not read them is dropped', async () => {
  pipeline.behaviour = { reads: false };
  const { link, events } = await openLink({ url: pipeline.url, extensions: true, clock: new ManualClock() });
  const peer = await pipeline.connection();
  const mark = { type: 'audio.mark', speaker: 'customer', name: 'x'.repeat(200) };
  for (let sent = 0; events.length === 0 && sent < 1_000_000; sent++) {
    peer.send(mark);
    if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(events).toEqual(lost('the peer does not read'));
  await link.close(true);
});

describe('closing a link whose pipeline does not care', () => {
  test.each([
    ['does not answer session.end', { answersEnd: false }],
    ['reads nothing', { reads: false }],
  ])('it %s: given up after 1 s', async (_name, behaviour) => {
    pipeline.behaviour = behaviour;
    const { link, events } = await openLink({ url: pipeline.url, clock: fastClock(10) });
    await link.close(true);
    pipeline.connections[0]?.resume();
    await nothingLeftOpen();
    expect(events).toEqual([]);
  });
});
