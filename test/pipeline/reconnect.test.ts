import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verifyToken } from '../../src/session-token.ts';
import type { FakeConnection } from '../support/fake-pipeline.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import {
  counterAudio,
  fastClock,
  ManualClock,
  makeLink,
  openLink,
  patience,
  speech,
  TestLeg,
  type TestLink,
  tokenSecret,
} from './link-fixture.ts';

let pipeline: FakePipeline;
beforeEach(async () => {
  pipeline = await FakePipeline.start();
});
afterEach(() => pipeline.close());

const heard = (speaker: string) => Buffer.concat(pipeline.heard(speaker).map(({ audio }) => audio));
const told = ({ events }: TestLink, type: string) => events.filter((event) => event.type === type);
const signal = () => new AbortController().signal;

/** Says 100 ms of counted samples every 20 ms until it is stopped. @returns what it said */
function talk(leg: TestLeg): () => Buffer {
  let said = 0;
  const timer = setInterval(() => {
    if (leg.inbound.writable >= 800) said += leg.inbound.write(counterAudio(said, 800));
  }, 20);
  return () => {
    clearInterval(timer);
    return counterAudio(0, said);
  };
}

test('killed and restarted 20 times, the pipeline hears every sample of both parties', async () => {
  // Five times as fast as life: pings every 200 ms, speech of 100 ms every 20 ms.
  const made = await openLink({ url: pipeline.url, clock: fastClock(5), reconnectSeconds: 30 });
  const { link } = made;
  const [customer, agent] = [new TestLeg(), new TestLeg()];
  link.attach('customer', customer);
  link.attach('agent', agent);
  const stops = [talk(customer), talk(agent)];
  let longestPing = 0;
  for (let life = 0; life < 20; life++) {
    const peer = await pipeline.connection(life);
    // The second ping tells that the first was answered; then a while longer, or not.
    await peer.until(() => peer.messages.filter(({ type }) => type === 'ping').length === 2);
    const until = peer.chunks('customer').length + [0, 5, 15][life % 3]!;
    await peer.until(() => peer.chunks('customer').length >= until);
    longestPing = Math.max(longestPing, link.stats().pingMs);
    await pipeline.kill();
    await pipeline.restart();
    await expect.poll(() => told(made, 'up').length, patience).toBe(life + 1);
  }
  const [customerSaid, agentSaid] = stops.map((stop) => stop());
  await expect.poll(() => heard('customer').length, patience).toBe(customerSaid!.length);
  await expect.poll(() => heard('agent').length, patience).toBe(agentSaid!.length);
  expect(heard('customer').equals(customerSaid!)).toBe(true);
  expect(heard('agent').equals(agentSaid!)).toBe(true);
  expectSameCopies('customer');
  expect(told(made, 'lost')).toEqual([]);
  expect(link.stats()).toMatchObject({ reconnects: 20, lostMs: 0, inputDroppedMs: 0 });
  // What comes twice: of each party no more than a ping interval, a round trip, and what the timers here are late by.
  for (const event of told(made, 'up')) {
    expect(event).toMatchObject({ lostMs: 0 });
    expect((event as { resentMs: number }).resentMs).toBeLessThanOrEqual(2 * (1000 + longestPing + 400));
  }
  await link.close(true);
}, 60_000);

/** Chunks that came more than once came with the same audio and time. */
function expectSameCopies(speaker: string): void {
  const first = new Map(pipeline.heard(speaker).map((chunk) => [chunk.sequence, chunk]));
  expect([...first.keys()]).toEqual(Array.from({ length: first.size }, (_, i) => i + 1));
  const copies = pipeline.connections.flatMap((connection) => connection.chunks(speaker));
  expect(copies.length).toBeGreaterThan(first.size);
  for (const copy of copies) expect(copy).toEqual(first.get(copy.sequence));
}

describe('an outage', () => {
  /** A link whose clock the test sets; a first ping has confirmed what was said before. */
  async function confirmedLink() {
    const clock = new ManualClock();
    const made = await openLink({ url: pipeline.url, clock, reconnectSeconds: 30 });
    const leg = new TestLeg();
    made.link.attach('customer', leg);
    await leg.say(counterAudio(0, 8000));
    await expect.poll(() => heard('customer').length, patience).toBe(8000);
    clock.time = 1000;
    await expect.poll(() => made.link.stats().pingMs, patience).toBeGreaterThanOrEqual(0);
    return { ...made, clock, leg };
  }

  test('of 5 s of speech loses nothing', async () => {
    const made = await confirmedLink();
    await pipeline.kill();
    await expect.poll(() => made.link.state, patience).toBe('down');
    await made.leg.say(counterAudio(8000, 40_000));
    await pipeline.restart();
    made.clock.time += 5000;
    await expect.poll(() => heard('customer').length, patience).toBe(48_000);
    expect(heard('customer').equals(counterAudio(0, 48_000))).toBe(true);
    expect(told(made, 'up')).toEqual([{ type: 'up', outageMs: 5000, resentMs: 0, lostMs: 0 }]);
    expect(made.link.stats()).toMatchObject({ reconnects: 1, downMs: 5000, lostMs: 0 });
    await made.link.close(false);
  });

  test('of more loses exactly what is counted, the oldest', async () => {
    const made = await confirmedLink();
    await pipeline.kill();
    await expect.poll(() => made.link.state, patience).toBe('down');
    await made.leg.say(counterAudio(8000, 96_000));
    await expect.poll(() => made.leg.inbound.readable, patience).toBe(0);
    const { lostMs } = made.link.stats();
    expect(lostMs).toBe(5000);
    await pipeline.restart();
    made.clock.time += 12_000;
    const kept = 104_000 - lostMs * 8;
    await expect.poll(() => heard('customer').length, patience).toBe(kept);
    const expected = Buffer.concat([
      counterAudio(0, 8000),
      counterAudio(8000 + lostMs * 8, 96_000 - lostMs * 8),
    ]);
    expect(heard('customer').equals(expected)).toBe(true);
    expect(pipeline.heard('customer').map(({ sequence }) => sequence)).toEqual([
      ...Array.from({ length: 50 }, (_, i) => i + 1),
      ...Array.from({ length: 350 }, (_, i) => 301 + i),
    ]);
    expect(told(made, 'up')).toEqual([{ type: 'up', outageMs: 12_000, resentMs: 0, lostMs }]);
    await made.link.close(false);
  });

  test('where the dialect cannot take it twice, what was not confirmed is lost and counted', async () => {
    const made = await openLink({
      url: pipeline.url,
      clock: new ManualClock(),
      reconnectSeconds: 30,
      replay: 'none',
    });
    const leg = new TestLeg();
    made.link.attach('customer', leg);
    await leg.say(speech(1600));
    await expect.poll(() => heard('customer').length, patience).toBe(1600);
    (await pipeline.connection()).reset();
    await expect.poll(() => made.link.state, patience).toBe('down');
    expect(made.link.stats()).toMatchObject({ lostMs: 200, resentMs: 0 });
    await made.link.close(false);
  });

  test('is told with what it cost; each connection has a token of its own', async () => {
    const made = await openLink({ url: pipeline.url, clock: fastClock(20), reconnectSeconds: 30 });
    (await pipeline.connection()).reset();
    await expect.poll(() => made.events.map(({ type }) => type), patience).toEqual(['down', 'up']);
    expect(made.events[1]).toMatchObject({ resentMs: 0, lostMs: 0, outageMs: expect.any(Number) });
    expect(made.link.state).toBe('up');
    const [first, second] = pipeline.connections;
    expect(second?.headers['x-kallglot-session']).toBe(made.sessionId);
    expect(second?.target).toContain(made.sessionId);
    for (const one of [first, second]) {
      expect(verifyToken(tokenSecret, one?.token ?? '', Date.now())).toBe(made.sessionId);
    }
    await made.link.close(true);
    expect(second?.messages.at(-1)).toEqual({ type: 'session.end' });
  });

  test('that lasts too long ends the link, and not before its time', async () => {
    const clock = new ManualClock();
    const made = await openLink({ url: pipeline.url, clock, reconnectSeconds: 30 });
    pipeline.behaviour = { refuse: 503 };
    (await pipeline.connection()).reset();
    await expect.poll(() => made.link.state, patience).toBe('down');
    // Every second an attempt that is due is made, and fails, before time goes on.
    for (let attempts = 1; attempts <= 7; attempts++) {
      while (pipeline.attempts <= attempts && clock.time < 29_000) {
        clock.time += 1000;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await expect.poll(() => pipeline.openSockets, patience).toBe(0);
    }
    clock.time = 29_999;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(made.events.map(({ type }) => type)).toEqual(['down']);
    clock.time = 30_000;
    await expect
      .poll(() => told(made, 'lost'), patience)
      .toEqual([{ type: 'lost', detail: expect.stringContaining('503') }]);
    expect(made.link.state).toBe('over');
    expect(made.link.stats().downMs).toBe(30_000);
    await made.link.close(true);
  });

  test('a link that closes while it is down is closed at once, and is not lost', async () => {
    const made = await openLink({ url: pipeline.url, reconnectSeconds: 30 });
    await pipeline.kill();
    await expect.poll(() => made.link.state, patience).toBe('down');
    await made.link.close(true);
    expect(made.events.map(({ type }) => type)).toEqual(['down']);
    expect(made.link.state).toBe('over');
    await pipeline.restart();
  });

  test('a session that the pipeline ends instead of getting ready again is tried again', async () => {
    const made = await openLink({ url: pipeline.url, clock: fastClock(20), reconnectSeconds: 60 });
    pipeline.behaviour = { readyAfterMs: 'never' };
    (await pipeline.connection()).reset();
    const second = await pipeline.connection(1);
    pipeline.behaviour = {};
    second.send({ type: 'session.ended', reason: 'restarting' });
    await expect.poll(() => made.link.state, patience).toBe('up');
    await made.link.close(false);
  });
});

describe('a pipeline that fails and comes back', () => {
  test.each<[string, (peer: FakeConnection) => void]>([
    ['resets the socket', (peer) => peer.reset()],
    ['closes', (peer) => peer.close(1012, 'service restart')],
    ['breaks the framing', (peer) => peer.sendRaw(Buffer.alloc(64, 0xff))],
    ['sends more than 1 MiB in one message', (peer) => peer.send(`"${'x'.repeat(1024 * 1024)}"`)],
    ['reads nothing any more', (peer) => peer.stall()],
  ])('when it %s: speech goes on without a gap', async (_name, act) => {
    const made = await openLink({ url: pipeline.url, clock: fastClock(10), reconnectSeconds: 60 });
    const leg = new TestLeg();
    made.link.attach('customer', leg);
    await leg.say(counterAudio(0, 8000));
    const peer = await pipeline.connection();
    await peer.until(() => peer.audio('customer').length === 8000);
    act(peer);
    await leg.say(counterAudio(8000, 8000));
    await expect.poll(() => told(made, 'up').length, patience).toBe(1);
    await leg.say(counterAudio(16_000, 8000));
    await expect.poll(() => heard('customer').length, patience).toBe(24_000);
    expect(heard('customer').equals(counterAudio(0, 24_000))).toBe(true);
    expect(made.link.stats()).toMatchObject({ reconnects: 1, lostMs: 0, inputDroppedMs: 0 });
    peer.resume();
    await made.link.close(false);
  });

  test('one that answers slowly stays', async () => {
    pipeline.behaviour = { pongAfterMs: 100 };
    const made = await openLink({ url: pipeline.url, clock: fastClock(10), reconnectSeconds: 30 });
    const peer = await pipeline.connection();
    await peer.until(() => peer.messages.filter(({ type }) => type === 'ping').length >= 3);
    expect(made.events).toEqual([]);
    expect(made.link.stats().pingMs).toBeGreaterThanOrEqual(900);
    await made.link.close(false);
  });

  test('one that is slow to get ready again is waited for', async () => {
    const made = await openLink({ url: pipeline.url, clock: fastClock(10), reconnectSeconds: 30 });
    pipeline.behaviour = { readyAfterMs: 150 };
    (await pipeline.connection()).reset();
    await expect.poll(() => told(made, 'up').length, patience).toBe(1);
    expect(pipeline.connections.length).toBe(2);
    await made.link.close(false);
  });
});

describe('a link that is never given up', () => {
  test('opens when the pipeline comes, however long that takes', async () => {
    pipeline.behaviour = { refuse: 503 };
    const clock = fastClock(100);
    const made = makeLink({ url: pipeline.url, clock, keepTrying: true, reconnectSeconds: 1 });
    const opened = made.link.open(signal());
    await expect.poll(() => pipeline.attempts, patience).toBeGreaterThan(8);
    expect(made.link.state).toBe('connecting');
    pipeline.behaviour = {};
    await opened;
    expect(made.link.state).toBe('up');
    const failed = { type: 'failed', detail: expect.stringMatching(/503|not ready within/) };
    expect(made.events).toEqual(made.events.map(() => failed));
    await made.link.close(true);
  });

  test('goes on trying when it is down', async () => {
    const made = await openLink({
      url: pipeline.url,
      clock: fastClock(100),
      keepTrying: true,
      reconnectSeconds: 1,
    });
    pipeline.behaviour = { refuse: 503 };
    (await pipeline.connection()).reset();
    await expect.poll(() => pipeline.attempts, patience).toBeGreaterThan(9);
    pipeline.behaviour = {};
    await expect.poll(() => made.link.state, patience).toBe('up');
    const told = made.events.map(({ type }) => type);
    expect(told.filter((type) => type !== 'failed')).toEqual(['down', 'up']);
    expect(told.filter((type) => type === 'failed').length).toBeGreaterThan(7);
    await made.link.close(true);
  });

  test('can be given up while it opens', async () => {
    pipeline.behaviour = { refuse: 503 };
    const abort = new AbortController();
    const made = makeLink({ url: pipeline.url, clock: fastClock(20), keepTrying: true });
    const opened = made.link.open(abort.signal);
    await expect.poll(() => pipeline.attempts, patience).toBeGreaterThan(1);
    abort.abort();
    await expect(opened).rejects.toThrow('aborted');
    await expect.poll(() => pipeline.openSockets, patience).toBe(0);
    expect(made.link.state).toBe('over');
    await made.link.close(true);
  });
});

describe('what was to be played', () => {
  async function queued(keepTrying: boolean, extensions = false) {
    const clock = new ManualClock();
    const made = await openLink({ url: pipeline.url, clock, keepTrying, reconnectSeconds: 30, extensions });
    const agent = new TestLeg();
    made.link.attach('agent', agent);
    const peer = await pipeline.connection();
    peer.say('customer', speech(80_000));
    if (extensions) peer.send({ type: 'audio.mark', speaker: 'customer', name: 'the end' });
    await expect.poll(() => agent.outbound.readable, patience).toBe(1600);
    await pipeline.kill();
    await expect.poll(() => made.link.state, patience).toBe('down');
    return { ...made, clock, agent };
  }

  test('is stale when the parties have heard each other meanwhile', async () => {
    const { link, clock, agent } = await queued(true);
    clock.time += 999;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(link.stats().queuedMs).toBe(10_000);
    clock.time += 1;
    await expect.poll(() => link.stats().queuedMs, patience).toBeLessThanOrEqual(200);
    expect(agent.heard().length).toBe(0);
    await pipeline.restart();
    clock.time += 5000;
    await expect.poll(() => link.state, patience).toBe('up');
    (await pipeline.connection(1)).say('customer', speech(160, 9));
    await expect.poll(() => agent.heard(), patience).toEqual(speech(160, 9));
    await link.close(false);
  });

  test('is played to its end where they have not', async () => {
    const { link, clock, agent } = await queued(false);
    clock.time += 20_000;
    await expect.poll(() => agent.heard().length, patience).toBe(80_000);
    await pipeline.restart();
    await link.close(false);
  });

  test.each([
    ['was heard during the outage', false, true],
    ['was heard before the parties heard each other', true, true],
    ['was dropped', true, false],
  ])('a mark that %s is answered when the pipeline is back', async (_name, keepTrying, played) => {
    const { link, clock, agent } = await queued(keepTrying, true);
    if (played) await expect.poll(() => agent.heard().length, patience).toBe(80_000);
    clock.time += 1000;
    await expect.poll(() => link.stats().queuedMs, patience).toBeLessThanOrEqual(200);
    await pipeline.restart();
    clock.time += 5000;
    const peer = await pipeline.connection(1);
    expect(await peer.message('audio.mark')).toEqual({ type: 'audio.mark', name: 'the end', played });
    expect(peer.messages[0]).toEqual({ type: 'leg', role: 'agent', state: 'joined' });
    await link.close(false);
  });
});
