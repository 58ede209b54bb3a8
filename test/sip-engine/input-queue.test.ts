import { describe, expect, it } from 'vitest';
import { asksForNew, isNewRequest } from '../../src/sip-engine/arrival.ts';
import { InputQueue } from '../../src/sip-engine/input-queue.ts';
import { parseMessage } from '../../src/sip-engine/message.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import type { Flow } from '../../src/sip-engine/transport.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { RecorderFlow, request, response, SDP } from '../support/engine-harness.ts';

/** An input queue whose messages take 0.5 ms each, and whose turns the test gives. */
class Input {
  readonly clock = new FakeEngineClock();
  readonly stats = newStats();
  /** Names of the messages that were handled, in order. */
  readonly handled: string[] = [];
  readonly queue: InputQueue;
  #turns: (() => void)[] = [];

  constructor(limits = { maxQueued: 1_000, maxQueuedPerSource: 100 }, known: readonly string[] = []) {
    this.queue = new InputQueue({
      clock: this.clock,
      stats: this.stats,
      limits,
      isKnown: (address) => known.includes(address),
      isExempt: (address) => known.includes(address) && !address.endsWith('.250'),
      soon: (action) => void this.#turns.push(action),
    });
  }

  arrive(
    address: string,
    name: string,
    isNew = true,
    flow: Flow = new RecorderFlow({ address, port: 5060 }, 'udp'),
  ): void {
    const handle = (): void => {
      this.clock.advance(0.5);
      this.handled.push(name);
    };
    this.queue.take({ flow, isNew: () => isNew, handle });
  }

  /** The sockets are read again. */
  turn(times = 1): void {
    for (let i = 0; i < times; i += 1) for (const action of this.#turns.splice(0)) action();
  }

  /** Takes all the time that there is in this turn. */
  busy(): void {
    for (const name of ['first', 'second']) this.arrive('192.0.2.200', name);
    this.handled.length = 0;
  }
}

/** How many of each source are among the first messages that were handled. */
const shares = (handled: readonly string[], count: number): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const name of handled.slice(0, count)) found[name] = (found[name] ?? 0) + 1;
  return found;
};

describe('the input queue', () => {
  it('handles at once what comes while there is time', () => {
    const input = new Input();
    for (let n = 0; n < 5; n += 1) {
      input.arrive('192.0.2.1', `${n}`);
      input.turn();
    }
    expect(input.handled).toEqual(['0', '1', '2', '3', '4']);
    expect(input.stats).toMatchObject({ queued: 0, dropsFlood: 0 });
  });

  it('lets wait what comes when the time of the turn is up, and goes on after the sockets were read', () => {
    const input = new Input();
    for (let n = 0; n < 6; n += 1) input.arrive('192.0.2.1', `${n}`);
    expect(input.handled).toEqual(['0', '1']);
    expect(input.stats.queued).toBe(4);
    input.turn();
    expect(input.handled).toEqual(['0', '1', '2', '3']);
    input.turn(2);
    expect(input.handled).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(input.stats.queued).toBe(0);
  });

  it('serves sources in turn: who sends much waits long', () => {
    const input = new Input();
    input.busy();
    for (let n = 0; n < 50; n += 1) input.arrive('192.0.2.66', 'flood');
    for (const name of ['a', 'b']) input.arrive(`192.0.2.${name === 'a' ? 1 : 2}`, name);
    input.turn(2);
    expect(input.handled.slice(0, 3)).toEqual(['flood', 'a', 'b']);
  });

  it('takes the addresses of one IPv6 network for one source', () => {
    const input = new Input({ maxQueued: 1_000, maxQueuedPerSource: 3 });
    input.busy();
    for (let n = 0; n < 10; n += 1) input.arrive(`2001:db8::${n + 1}`, 'flood');
    input.arrive('2001:db8:0:1::1', 'other');
    expect(input.stats).toMatchObject({ queued: 4, dropsFlood: 7 });
  });

  it('drops what a source sends beyond its share, and counts it; others lose nothing', () => {
    const input = new Input({ maxQueued: 1_000, maxQueuedPerSource: 10 });
    input.busy();
    for (let n = 0; n < 200; n += 1) input.arrive('192.0.2.66', 'flood');
    input.arrive('192.0.2.1', 'good');
    input.turn(100);
    expect(input.stats).toMatchObject({ dropsFlood: 190, queued: 0 });
    expect(shares(input.handled, 100)).toEqual({ flood: 10, good: 1 });
  });

  it('has no share for a known source, but a bound for all', () => {
    const input = new Input({ maxQueued: 50, maxQueuedPerSource: 10 }, ['192.0.2.1']);
    input.busy();
    for (let n = 0; n < 60; n += 1) input.arrive('192.0.2.1', 'known');
    for (let n = 0; n < 60; n += 1) input.arrive(`198.51.100.${n}`, 'stranger');
    expect(input.stats).toMatchObject({ queued: 100, dropsFlood: 20 });
  });

  it('serves calls that are up first, then known sources, and leaves nobody without a turn', () => {
    const input = new Input({ maxQueued: 1_000, maxQueuedPerSource: 1_000 }, ['192.0.2.1']);
    input.busy();
    for (let n = 0; n < 100; n += 1) {
      input.arrive('192.0.2.66', 'stranger, new');
      input.arrive('192.0.2.66', 'stranger, call', false);
      input.arrive('192.0.2.1', 'known, new');
      input.arrive('192.0.2.1', 'known, call', false);
    }
    input.turn(200);
    const first = shares(input.handled, 100);
    expect(first['known, call']).toBeGreaterThanOrEqual(40);
    expect(first['stranger, call']).toBeGreaterThanOrEqual(15);
    expect(first['known, new']).toBeGreaterThanOrEqual(10);
    expect(first['stranger, new']).toBeGreaterThanOrEqual(20);
    expect(input.handled).toHaveLength(400);
  });

  it('reads a connection no further while something of it waits, and loses nothing of it', () => {
    const input = new Input({ maxQueued: 2, maxQueuedPerSource: 1 });
    const reads: string[] = [];
    const flow = Object.assign(new RecorderFlow({ address: '192.0.2.66', port: 5060 }, 'tcp'), {
      pause: () => void reads.push('pause'),
      resume: () => void reads.push('resume'),
    });
    input.busy();
    for (let n = 0; n < 8; n += 1) input.arrive('192.0.2.66', `${n}`, true, flow);
    expect(reads).toEqual(['pause']);
    input.turn(3);
    expect(reads).toEqual(['pause']);
    input.turn();
    expect(reads).toEqual(['pause', 'resume']);
    expect(input.handled).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  it('has a share for a source that is known by a call of its own, and not exempt', () => {
    const input = new Input({ maxQueued: 50, maxQueuedPerSource: 10 }, ['192.0.2.250']);
    input.busy();
    for (let n = 0; n < 60; n += 1) input.arrive('192.0.2.250', 'calling');
    expect(input.stats).toMatchObject({ queued: 10, dropsFlood: 50 });
  });

  it('says how long known sources had to wait, but not for themselves', () => {
    const input = new Input(undefined, ['192.0.2.1', '192.0.2.2']);
    input.busy();
    input.arrive('192.0.2.66', 'stranger');
    for (let n = 0; n < 20; n += 1) input.arrive('192.0.2.1', 'known, much');
    input.clock.advance(500);
    input.arrive('192.0.2.2', 'known, one');
    input.turn();
    // The first of each source; the others of the one that sends much have waited longer, behind it.
    expect(input.queue.takeDelayMs()).toBe(500);
    expect(input.queue.takeDelayMs()).toBe(0);
    input.turn(20);
    expect(input.queue.takeDelayMs()).toBeLessThan(5);
  });

  it('handles what waits when it is closed', () => {
    const input = new Input();
    input.busy();
    input.arrive('192.0.2.1', 'late');
    input.queue.close();
    expect(input.handled).toContain('late');
    expect(input.stats.queued).toBe(0);
  });
});

describe('a message asks for something new', () => {
  const invite = request({ body: SDP });
  it.each([
    ['an INVITE', invite, true],
    ['a re-INVITE', request({ toTag: 'ours', body: SDP }), false],
    ['a CANCEL, which must not overtake its INVITE', request({ method: 'CANCEL' }), true],
    ['an ACK', request({ method: 'ACK' }), false],
    ['a BYE', request({ method: 'BYE', toTag: 'ours' }), false],
    ['an OPTIONS', request({ method: 'OPTIONS' }), true],
    ['a response', response(parseMessage(Buffer.from(invite)), '200 OK'), false],
    ['a compact To with a tag', request({ toTag: 'ours' }).replace('\r\nTo: ', '\r\nt : '), false],
    ['a To whose tag is written otherwise', request({ toTag: 'x' }).replace(';tag=x', ' ; TAG = x'), false],
    ['a tag of From alone', request({ fromTag: 'theirs' }), true],
  ])('%s: %s', (_, text, expected) => {
    expect(isNewRequest(Buffer.from(text))).toBe(expected);
    expect(asksForNew(parseMessage(Buffer.from(text)))).toBe(expected);
  });

  it('garbage does', () => {
    expect(isNewRequest(Buffer.alloc(16_000, 't:'))).toBe(true);
    expect(isNewRequest(Buffer.alloc(0))).toBe(true);
  });
});
