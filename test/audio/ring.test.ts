import { describe, expect, test } from 'vitest';
import { AudioRing } from '../../src/audio/ring.ts';

const bytes = (from: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i);

test('bytes come out as they went in, over the end of the buffer and over many rounds', () => {
  const writer = AudioRing.create(256);
  const reader = new AudioRing(writer.buffer);
  const out = new Uint8Array(100);
  for (let round = 0; round < 50; round++) {
    expect(writer.write(bytes(round, 100))).toBe(100);
    expect(reader.readable).toBe(100);
    expect(reader.read(out)).toBe(100);
    expect(out).toEqual(bytes(round, 100));
  }
});

test('a full ring takes what fits, an empty one gives what it has', () => {
  const ring = AudioRing.create(16);
  expect(ring.write(bytes(0, 20))).toBe(16);
  expect(ring.writable).toBe(0);
  expect(ring.write(bytes(0, 1))).toBe(0);
  const out = new Uint8Array(20);
  expect(ring.read(out, 4, 10)).toBe(10);
  expect([...out.subarray(4, 14)]).toEqual([...bytes(0, 10)]);
  expect(ring.read(out)).toBe(6);
  expect(ring.read(out)).toBe(0);
});

test('offset and length choose the part that is written', () => {
  const ring = AudioRing.create(16);
  expect(ring.write(bytes(0, 10), 2, 3)).toBe(3);
  const out = new Uint8Array(3);
  ring.read(out);
  expect([...out]).toEqual([2, 3, 4]);
});

test('positions wrap at 2^32 without a seam', () => {
  const ring = AudioRing.create(64);
  const positions = new Int32Array(ring.buffer, 0, 2);
  positions.fill(0x7fff_ffff - 30);
  const out = new Uint8Array(50);
  for (const start of [1, 60]) {
    expect(ring.write(bytes(start, 50))).toBe(50);
    expect(ring.readable).toBe(50);
    ring.read(out);
    expect(out).toEqual(bytes(start, 50));
  }
});

test('a flush drops what was written before it and nothing after it', () => {
  const writer = AudioRing.create(64);
  const reader = new AudioRing(writer.buffer);
  writer.write(bytes(0, 10));
  writer.requestFlush();
  writer.write(bytes(50, 5));
  expect(reader.applyFlush()).toBe(10);
  expect(reader.applyFlush()).toBe(0);
  const out = new Uint8Array(5);
  expect(reader.read(out)).toBe(5);
  expect(out[0]).toBe(50);
});

test('a flush of what was read already asks for nothing', () => {
  const ring = AudioRing.create(64);
  ring.write(bytes(0, 10));
  ring.requestFlush();
  ring.read(new Uint8Array(10));
  ring.write(bytes(0, 10));
  expect(ring.applyFlush()).toBe(0);
  expect(ring.readable).toBe(10);
});

test('a flush is over once it was applied, also when the positions have wrapped past it', () => {
  const ring = AudioRing.create(64);
  ring.write(bytes(0, 10));
  ring.requestFlush();
  ring.applyFlush();
  new Int32Array(ring.buffer, 0, 2).fill((10 + 2 ** 31 + 5) | 0);
  ring.write(bytes(0, 10));
  expect(ring.applyFlush()).toBe(0);
  expect(ring.readable).toBe(10);
});

test('dropping leaves nothing to read, and what is written then is whole', () => {
  const ring = AudioRing.create(8);
  ring.write(Uint8Array.of(1, 2, 3, 4, 5));
  ring.read(new Uint8Array(1));
  ring.drop();
  expect([ring.readable, ring.writable]).toEqual([0, 8]);
  ring.write(Uint8Array.of(6, 7));
  const read = new Uint8Array(8);
  expect(ring.read(read)).toBe(2);
  expect([...read.subarray(0, 2)]).toEqual([6, 7]);
});

test('the capacity is a power of two', () => {
  expect(() => AudioRing.create(100)).toThrow(/power of two/);
});

describe('what was written last', () => {
  test('can be read back, whether it has been read or not, over the end of the buffer', () => {
    const ring = AudioRing.create(16);
    const last = new Uint8Array(5);
    expect(ring.recent(last)).toBe(0);
    ring.write(Uint8Array.of(1, 2, 3));
    expect(ring.recent(last)).toBe(3);
    expect([...last]).toEqual([0, 0, 1, 2, 3]);
    ring.read(new Uint8Array(3));
    ring.write(Uint8Array.from({ length: 15 }, (_, i) => 10 + i));
    expect(ring.recent(last)).toBe(5);
    expect([...last]).toEqual([20, 21, 22, 23, 24]);
  });

  test('is at most what the ring holds', () => {
    const ring = AudioRing.create(4);
    ring.write(Uint8Array.of(1, 2, 3, 4));
    const last = new Uint8Array(6).fill(9);
    expect(ring.recent(last)).toBe(4);
    expect([...last]).toEqual([9, 9, 1, 2, 3, 4]);
  });
});
