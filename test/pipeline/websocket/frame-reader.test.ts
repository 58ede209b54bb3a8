import { describe, expect, test } from 'vitest';
import { FrameReader } from '../../../src/pipeline/websocket/frame-reader.ts';
import { randomFrom } from '../../fuzz/random.ts';

const MAX_BYTES = 70_000;

/** A reader, and what it has told. */
function start() {
  const told: string[] = [];
  const pings: string[] = [];
  const reader = new FrameReader(MAX_BYTES, {
    onText: (message) => told.push(`text ${message.toString()}`),
    onBinary: () => told.push('binary'),
    onPing: (payload) => pings.push(payload.toString()),
    onPong: () => told.push('pong'),
    onClose: (code, reason) => told.push(`close ${code} ${reason}`),
    onProblem: (code, problem) => told.push(`problem ${code} ${problem}`),
  });
  return { reader, told, pings };
}

/** A frame of a server. @param first FIN and opcode */
function frame(first: number, payload: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = first;
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, bytes]);
}

const long = 'long '.repeat(200);
const larger = 'x'.repeat(66_000);
const conversation = Buffer.concat([
  ...[frame(0x81, 'one'), frame(0x81), frame(0x81, long), frame(0x82, 'bytes'), frame(0x01, 'in ')],
  ...[frame(0x89), frame(0x00, 'four '), frame(0x00), frame(0x8a), frame(0x80, 'parts')],
  ...[
    frame(0x02, 'b'),
    frame(0x80, 'c'),
    frame(0x81, larger),
    frame(0x88, Buffer.from('\x03\xe8good bye', 'latin1')),
  ],
]);
const expected = [
  ...['text one', 'text ', `text ${long}`, 'binary', 'pong', 'text in four parts'],
  ...['binary', `text ${larger}`, 'close 1000 good bye'],
];

describe('what a server says', () => {
  test('is understood in one piece', () => {
    const { reader, told } = start();
    reader.push(conversation);
    expect(told).toEqual(expected);
  });

  test.each([1, 2, 3, 7, 100, 1000, 1005, 65_536])('is understood in pieces of %i bytes', (size) => {
    const { reader, told } = start();
    for (let at = 0; at < conversation.length; at += size) reader.push(conversation.subarray(at, at + size));
    expect(told).toEqual(expected);
  });

  test('is understood in pieces of any size, read into the same memory', () => {
    const random = randomFrom(7);
    for (let run = 0; run < 20; run++) {
      const { reader, told } = start();
      const memory = Buffer.alloc(3000);
      for (let at = 0; at < conversation.length; ) {
        const size = Math.min(1 + random(3000), conversation.length - at);
        memory.set(conversation.subarray(at, at + size));
        reader.push(memory.subarray(0, size));
        memory.fill(0xff);
        at += size;
      }
      expect(told).toEqual(expected);
    }
  });

  test('is asked for by the last ping of those that come at once', () => {
    const { reader, told, pings } = start();
    const asked = Buffer.concat([frame(0x89, 'one'), frame(0x81, 'text'), frame(0x89, 'two'), frame(0x8a)]);
    reader.push(
      Buffer.concat([...Array.from({ length: 1000 }, () => asked), frame(0x89, 'last').subarray(0, 3)]),
    );
    expect(pings).toEqual(['two']);
    expect(told.length).toBe(2000);
    reader.push(frame(0x89, 'last').subarray(3));
    reader.push(frame(0x81, 'text'));
    expect(pings).toEqual(['two', 'last']);
    reader.push(Buffer.concat([frame(0x89, 'late'), frame(0x88)]));
    expect(pings).toEqual(['two', 'last']);
  });

  test('is not read behind its close, nor once nobody wants to hear it', () => {
    const closed = start();
    closed.reader.push(Buffer.concat([frame(0x88), frame(0x81, 'late')]));
    closed.reader.push(frame(0x81, 'later'));
    expect(closed.told).toEqual(['close 1005 ']);
    const told: string[] = [];
    const stopped: FrameReader = new FrameReader(MAX_BYTES, {
      ...{ onBinary() {}, onPing() {}, onPong() {}, onClose() {}, onProblem() {} },
      onText: (message) => {
        told.push(message.toString());
        stopped.stop();
      },
    });
    stopped.push(Buffer.concat([frame(0x81, 'one'), frame(0x81, 'two')]));
    stopped.push(frame(0x81, 'three'));
    expect(told).toEqual(['one']);
  });
});

test.each<[string, Buffer[], number]>([
  ['a reserved bit', [frame(0xc1, 'x')], 1002],
  ['a mask', [Buffer.from([0x81, 0x80, 1, 2, 3, 4])], 1002],
  ['an opcode that there is not', [frame(0x83)], 1002],
  ['a control frame that there is not', [frame(0x8b)], 1002],
  ['a continuation of nothing', [frame(0x80, 'x')], 1002],
  ['a new message within another', [frame(0x01, 'x'), frame(0x81, 'y')], 1002],
  ['a ping in parts', [frame(0x09, 'x')], 1002],
  ['a ping of 126 bytes', [frame(0x89, 'x'.repeat(126))], 1002],
  ['a close of one byte', [frame(0x88, 'x')], 1002],
  ['a close with a code that nobody may send', [frame(0x88, Buffer.from([0x03, 0xee]))], 1002],
  ['a close with a code out of range', [frame(0x88, Buffer.from([0x13, 0x88]))], 1002],
  ['a message that is too large', [frame(0x81, 'x'.repeat(MAX_BYTES + 1))], 1009],
  [
    'a message that says that it will be too large',
    [Buffer.from([0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0])],
    1009,
  ],
  ['parts that are too large together', [frame(0x01, larger), frame(0x80, 'x'.repeat(5000))], 1009],
])('%s ends it, and nothing more is read', (_what, frames, code) => {
  for (const size of [1, 1_000_000]) {
    const { reader, told } = start();
    const bytes = Buffer.concat([...frames, frame(0x81, 'after')]);
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    expect(told).toEqual([expect.stringContaining(`problem ${code} `)]);
  }
});

test('a message of the largest size is taken', () => {
  const { reader, told } = start();
  reader.push(frame(0x81, 'x'.repeat(MAX_BYTES)));
  expect(told[0]?.length).toBe(MAX_BYTES + 'text '.length);
});
