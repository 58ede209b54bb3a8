import { beforeEach, expect, test } from 'vitest';
import { type Arrival, JitterBuffer, type PacketKind } from '../../src/media/jitter-buffer.ts';

/** Sequence numbers as they were delivered, and what was missing before each. */
let order: number[];
let gaps: Record<number, number>;
let payloads: number[];
let buffer: JitterBuffer;

beforeEach(() => {
  order = [];
  gaps = {};
  payloads = [];
  buffer = new JitterBuffer((header, bytes, _, lost) => {
    order.push(header.sequence);
    payloads.push(bytes[header.payloadOffset] as number);
    if (lost > 0) gaps[header.sequence] = lost;
  });
});

function push(sequence: number, now = 0, kind: PacketKind = 'speech'): Arrival {
  const bytes = new Uint8Array(172).fill(sequence & 0xff);
  const header = {
    payloadType: 0,
    marker: false,
    sequence: sequence & 0xffff,
    timestamp: sequence * 160,
    ssrc: 1,
    payloadOffset: 12,
    payloadLength: 160,
  };
  return buffer.push(header, bytes, kind, now);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test('what is in order goes through at once', () => {
  for (const n of range(7, 12)) {
    push(n);
    expect(order.at(-1)).toBe(n);
  }
});

test('what came early waits with its bytes until the missing one is there', () => {
  for (const n of [0, 3, 2, 4]) push(n);
  expect(order).toEqual([0]);
  push(1);
  expect(order).toEqual([0, 1, 2, 3, 4]);
  expect(payloads).toEqual([0, 1, 2, 3, 4]);
  expect(gaps).toEqual({});
});

test('the wait counts from the first packet after the gap; then the rest goes on, and says what was lost', () => {
  push(0, 0);
  push(3, 60);
  push(4, 80);
  buffer.poll(99, 40);
  expect(order).toEqual([0]);
  buffer.poll(100, 40);
  expect(order).toEqual([0, 3, 4]);
  expect(gaps).toEqual({ 3: 2 });
  expect(push(2, 101)).toBe('late');
  expect(order).toEqual([0, 3, 4]);
});

test('each of several gaps is waited for by itself', () => {
  push(0, 0);
  push(2, 40);
  push(4, 80);
  buffer.poll(100, 60);
  expect(order).toEqual([0, 2]);
  buffer.poll(139, 60);
  expect(order).toEqual([0, 2]);
  buffer.poll(140, 60);
  expect(order).toEqual([0, 2, 4]);
  expect(gaps).toEqual({ 2: 1, 4: 1 });
});

test('at most 24 packets wait, whatever the wait', () => {
  push(0);
  for (const n of range(2, 26)) push(n);
  expect(order).toEqual([0]);
  push(26);
  expect(order).toEqual([0, ...range(2, 27)]);
});

test('held packets, their gaps and their order survive the wrap of the sequence', () => {
  for (const n of [65_534, 1, 0, 2, 65_535]) push(n);
  expect(order).toEqual([65_534, 65_535, 0, 1, 2]);
  push(5, 10);
  buffer.poll(70, 60);
  expect(gaps).toEqual({ 5: 2 });
});

test('duplicates are told from late packets, held ones included', () => {
  for (const n of [0, 1, 3]) push(n);
  expect(push(3)).toBe('duplicate');
  expect(push(1)).toBe('duplicate');
  push(2);
  expect(order).toEqual([0, 1, 2, 3]);
  expect(push(65_535)).toBe('late');
});

test('a packet from far away is believed when its successor comes', () => {
  push(0);
  expect(push(30_000)).toBe('stray');
  expect(push(30_001)).toBe('restarted');
  expect(push(30_002)).toBe('taken');
  expect(order).toEqual([0, 30_001, 30_002]);
});

test('payload longer than most is held whole', () => {
  const bytes = new Uint8Array(1412).fill(9);
  const header = {
    payloadType: 0,
    marker: false,
    sequence: 2,
    timestamp: 0,
    ssrc: 1,
    payloadOffset: 12,
    payloadLength: 1400,
  };
  let length = 0;
  const other = new JitterBuffer((held, payload) => {
    length = held.payloadLength;
    payloads = [...payload.subarray(held.payloadOffset, held.payloadOffset + held.payloadLength)];
  });
  other.push({ ...header, sequence: 0 }, bytes, 'speech', 0);
  other.push(header, bytes, 'speech', 0);
  bytes.fill(0);
  other.poll(60, 60);
  expect(length).toBe(1400);
  expect(payloads).toEqual(Array(1400).fill(9));
});
