import { beforeEach, describe, expect, test } from 'vitest';
import { DtmfReceiver } from '../../src/media/dtmf-receiver.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { eventPayload } from '../support/rtp-packet.ts';

/** A packet of a key press; times in ms, durations in timestamp units. */
interface Sent {
  at: number;
  digit: string;
  /** Timestamp of the press or segment, in units from the first one on. */
  start: number;
  duration: number;
  end?: boolean;
  marker?: boolean;
  ssrc?: number;
}

let told: string[];
let stats: StatsBlock;
let receiver: DtmfReceiver;

beforeEach(() => {
  told = [];
  stats = StatsBlock.create();
  receiver = new DtmfReceiver(stats, (digit, durationMs) => told.push(`${digit} ${durationMs}`));
});

/** Timestamps wrap right after the first press. */
const FIRST = 0xffff_ff00;

function arrive(packets: readonly Sent[], { clockRate = 8000, first = FIRST } = {}): void {
  for (const { at, digit, start, duration, end = false, marker = false, ssrc = 1 } of packets)
    deliver(eventPayload(digit, duration, end), at, (first + start) >>> 0, { marker, ssrc, clockRate });
}

function deliver(
  payload: Uint8Array,
  at: number,
  timestamp: number,
  { marker = false, ssrc = 1, clockRate = 8000 } = {},
): void {
  receiver.poll(at);
  const header = { payloadType: 101, marker, sequence: 0, timestamp, ssrc };
  const place = { payloadOffset: 12, payloadLength: payload.length };
  receiver.packet({ ...header, ...place }, Buffer.concat([Buffer.alloc(12), payload]), clockRate, at);
}

/** A press as senders send it: an update every 20 ms, the end three times. */
function press(digit: string, at: number, ms = 100, { perMs = 8, ssrc = 1 } = {}): Sent[] {
  const updates = ms / 20;
  return Array.from({ length: updates + 2 }, (_, i) => {
    const duration = Math.min(i + 1, updates) * 20 * perMs;
    const end = i + 1 >= updates;
    return { at: at + i * 20, digit, start: at * perMs, duration, end, marker: i === 0, ssrc };
  });
}

const over = (): void => receiver.poll(1e9);

describe('one press is told once', () => {
  const whole = press('5', 0);
  const [first, second, third, fourth, end, end2, end3] = whole as [Sent, Sent, Sent, Sent, Sent, Sent, Sent];
  const unmarked = whole.map((packet) => ({ ...packet, marker: false }));

  test.each<[string, Sent[], string]>([
    ['as it is sent', whole, '5 100'],
    ['without the marker', unmarked, '5 100'],
    ['without the marker packet', whole.slice(1), '5 100'],
    ['without all updates', [end, end2, end3], '5 100'],
    ['with one end of three', [first, second, end2], '5 100'],
    ['with the last end alone', [end3], '5 100'],
    ['without any end', [first, second, third], '5 60'],
    ['with its first packet alone', [first], '5 20'],
    ['with every packet twice', whole.flatMap((packet) => [packet, packet]), '5 100'],
    ['in disorder', [second, first, fourth, third, end, end3, end2], '5 100'],
    ['backwards: the end comes first', whole.toReversed(), '5 100'],
    ['with an end that comes when it was given up', [first, second, { ...end, at: 900 }], '5 40'],
    [
      'of a sender whose timestamp runs on',
      whole.map((one) => ({ ...one, start: one.duration - 160 })),
      '5 180',
    ],
    ['with updates that go on when it was given up', [first, { ...third, at: 600 }, end], '5 20'],
  ])('%s', (_, packets, expected) => {
    arrive(packets);
    over();
    expect(told).toEqual([expected]);
  });

  test('with the first packet that ends it, and at the latest 250 ms after the last packet', () => {
    arrive([first, second]);
    receiver.poll(269);
    expect(told).toEqual([]);
    receiver.poll(270);
    expect(told).toEqual(['5 40']);
    arrive(press('6', 1000).slice(0, 5));
    expect(told).toEqual(['5 40', '6 100']);
  });

  test.each(['0', '9', '*', '#', 'A', 'D'])('the key %s', (digit) => {
    arrive(press(digit, 0));
    expect(told).toEqual([`${digit} 100`]);
  });
});

describe('many presses are told each', () => {
  test('the same key again and again, with and without markers', () => {
    const presses = Array.from({ length: 30 }, (_, i) => press('7', i * 200));
    arrive(
      presses.flatMap((packets, i) => (i % 2 ? packets.map((one) => ({ ...one, marker: false })) : packets)),
    );
    over();
    expect(told).toEqual(Array(30).fill('7 100'));
  });

  test('in their order, where each has lost its ends', () => {
    arrive([...'4711'].flatMap((digit, i) => press(digit, i * 200).slice(0, 3)));
    over();
    expect(told).toEqual(['4 60', '7 60', '1 60', '1 60']);
  });

  test('the same key without any gap', () => {
    arrive([...press('1', 0).slice(0, 5), ...press('1', 100)]);
    over();
    expect(told).toEqual(['1 100', '1 100']);
  });

  test('whatever is lost: each third packet, each place in turn', () => {
    for (let lost = 0; lost < 3; lost++) {
      receiver = new DtmfReceiver(stats, (digit) => told.push(digit));
      told = [];
      const packets = [...'0123456789'].flatMap((digit, i) => press(digit, i * 200));
      arrive(packets.filter((_, i) => i % 3 !== lost));
      over();
      expect(told.join('')).toBe('0123456789');
    }
  });

  test('when a press comes whole after the next one has begun', () => {
    const [one, two] = [press('1', 0), press('2', 200)];
    arrive([...two.slice(0, 2), ...one.map((packet) => ({ ...packet, at: 230 })), ...two.slice(2)]);
    over();
    expect(told).toEqual(['1 100', '2 100']);
  });

  test('that come in one packet', () => {
    const [one, two] = [eventPayload('1', 800, true), eventPayload('2', 400, true)];
    for (const at of [0, 20, 40]) deliver(Buffer.concat([one, two]), at, 5000);
    expect(told).toEqual(['1 100', '2 50']);
  });

  test('but not what is no key, and not half a packet', () => {
    deliver(Uint8Array.of(16, 0x8a, 3, 32), 0, 100);
    deliver(Uint8Array.of(200, 0x8a, 3, 32), 0, 200);
    deliver(Uint8Array.of(5, 0x8a, 3), 0, 300);
    deliver(Uint8Array.of(), 0, 400);
    over();
    expect(told).toEqual([]);
  });
});

describe.each([8000, 48_000])('a long press at %i Hz', (clockRate) => {
  const perMs = clockRate / 1000;
  const seconds = 20;

  /** Updates every 20 ms; a segment has 0xffff units at most (RFC 4733 §2.5.1.3). */
  function segmented(): Sent[] {
    const packets: Sent[] = [];
    let start = 0;
    for (let at = 20; at <= seconds * 1000; at += 20) {
      const end = at === seconds * 1000;
      while (at * perMs - start > 0xffff) {
        for (let copy = 0; copy < 3; copy++) packets.push({ at, digit: '8', start, duration: 0xffff });
        start += 0xffff;
      }
      for (let copy = 0; copy < (end ? 3 : 1); copy++)
        packets.push({ at, digit: '8', start, duration: at * perMs - start, end, marker: at === 20 });
    }
    return packets;
  }

  /** The same of a sender that lets the duration wrap. */
  const wrapped = (): Sent[] =>
    segmented()
      .filter(({ duration }) => duration !== 0xffff)
      .map((packet) => ({ ...packet, start: 0, duration: (packet.start + packet.duration) & 0xffff }));

  test.each<[string, () => Sent[]]>([
    ['in segments', segmented],
    [
      'in segments, each with its last packets lost',
      () => segmented().filter(({ duration }) => duration !== 0xffff),
    ],
    ['in segments, a third of it lost', () => segmented().filter((_, i) => i % 3 !== 1)],
    ['in segments, in disorder', () => swapped(segmented())],
    ['with a duration that wraps', wrapped],
    ['with a duration that wraps, in disorder', () => swapped(wrapped())],
  ])('%s is one', (_, packets) => {
    arrive(packets(), { clockRate });
    over();
    expect(told).toEqual([`8 ${seconds * 1000}`]);
  });

  test('and the same key right after it is the next', () => {
    arrive(segmented(), { clockRate });
    arrive(press('8', seconds * 1000 + 60, 100, { perMs }), { clockRate });
    expect(told).toEqual([`8 ${seconds * 1000}`, '8 100']);
  });
});

/** Each packet after its successor. */
function swapped(packets: readonly Sent[]): Sent[] {
  return packets.flatMap((packet, i) =>
    i % 2 ? [packet, packets[i - 1] as Sent] : packets[i + 1] ? [] : [packet],
  );
}

describe('a peer that changes its SSRC', () => {
  const elsewhere = { ssrc: 2, first: 77 };

  test('between two presses', () => {
    arrive(press('3', 0));
    arrive(
      press('3', 0, 100, { ssrc: 2 }).map((packet) => ({ ...packet, at: packet.at + 200 })),
      elsewhere,
    );
    expect(told).toEqual(['3 100', '3 100']);
  });

  test('while a key is down: it is one press, whatever comes late of it', () => {
    const packets = press('3', 0, 200);
    arrive(packets.slice(0, 5));
    arrive(
      packets.slice(5).map((packet) => ({ ...packet, ssrc: 2 })),
      elsewhere,
    );
    arrive(packets.slice(3, 5).map((packet) => ({ ...packet, at: 250 })));
    over();
    expect(told).toEqual(['3 200']);
  });

  test('and presses another key: the one before is over', () => {
    arrive(press('3', 0).slice(0, 2));
    arrive(press('4', 50, 100, { ssrc: 2 }), elsewhere);
    over();
    expect(told).toEqual(['3 40', '4 100']);
  });
});

test('more presses than anybody makes are dropped and counted', () => {
  for (let i = 0; i < 1000; i++)
    arrive([{ at: i, digit: String(i % 10), start: i * 8, duration: 8, end: true, marker: true }]);
  expect(told.length).toBeGreaterThanOrEqual(40);
  expect(told.length).toBeLessThan(70);
  expect(stats.read().digitsDropped).toBe(1000 - told.length);
});
