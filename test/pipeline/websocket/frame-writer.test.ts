import { expect, test } from 'vitest';
import { FrameWriter } from '../../../src/pipeline/websocket/frame-writer.ts';
import { CLOSE, PING } from '../../../src/pipeline/websocket/opcodes.ts';

/** Reads a masked frame as a server does, byte by byte. */
function unmask(frame: Buffer) {
  const short = frame[1]! & 0x7f;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  const length =
    short === 126 ? frame.readUInt16BE(2) : short === 127 ? Number(frame.readBigUInt64BE(2)) : short;
  const mask = frame.subarray(header, header + 4);
  const payload = frame.subarray(header + 4).map((byte, i) => byte ^ mask[i % 4]!);
  return { first: frame[0], isMasked: frame[1]! >= 0x80, length, mask: mask.toString('hex'), payload };
}

const texts = [0, 1, 2, 3, 125, 126, 127, 800, 16_000, 16_384, 65_535, 65_536, 300_001].map((length) =>
  Array.from({ length }, (_, i) => 'abcdefghijklmnopqrstuvwxyz'[i % 26]).join(''),
);

test.each(texts.map((text) => [text.length, text] as const))(
  'a text of %i bytes is one frame',
  (length, text) => {
    const frame = unmask(new FrameWriter().text(text));
    expect(frame).toMatchObject({ first: 0x81, isMasked: true, length });
    expect(frame.payload.toString() === text).toBe(true);
  },
);

test.each(['grün', '日本語', '🙂'.repeat(3000), 'é'.repeat(40_000)])(
  'a text of other letters is UTF-8',
  (text) => {
    const { length, payload } = unmask(new FrameWriter().text(text));
    expect(length).toBe(Buffer.byteLength(text));
    expect(payload.toString() === text).toBe(true);
  },
);

test('control frames carry what they are given', () => {
  const writer = new FrameWriter();
  expect(unmask(writer.control(PING, Buffer.from('abc')))).toMatchObject({ first: 0x80 | PING, length: 3 });
  const close = unmask(writer.close(1009));
  expect([close.first, close.payload]).toEqual([0x80 | CLOSE, Buffer.from([0x03, 0xf1])]);
  expect(unmask(writer.close(undefined))).toMatchObject({ first: 0x80 | CLOSE, length: 0 });
});

test('no two frames of many have the same mask', () => {
  const writer = new FrameWriter();
  const masks = Array.from({ length: 5000 }, () => unmask(writer.text('x')).mask);
  expect(new Set(masks).size).toBeGreaterThan(4990);
});

test('a frame that was handed over stays as it is while others are written', () => {
  const writer = new FrameWriter();
  const kept: { frame: Buffer; text: string }[] = [];
  for (let i = 0; i < 500; i++) {
    const text = `${i} `.repeat((i * 37) % 400);
    const frame = writer.text(text);
    if (i % 3 === 0) continue;
    writer.handOver();
    kept.push({ frame, text });
  }
  for (const { frame, text } of kept) expect(unmask(frame).payload.toString() === text).toBe(true);
});

test('a frame that was not handed over makes room for the next', () => {
  const writer = new FrameWriter();
  const first = writer.text('one');
  const second = writer.text('two');
  expect(second.byteOffset).toBe(first.byteOffset);
  expect(second.buffer).toBe(first.buffer);
});
