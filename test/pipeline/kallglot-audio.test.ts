import { expect, test } from 'vitest';
import { decodeBase64 } from '../../src/audio/base64.ts';
import type { PipelineMessage } from '../../src/pipeline/dialect.ts';
import { readUsualAudio } from '../../src/pipeline/kallglot-audio.ts';
import { readMessage } from '../../src/pipeline/kallglot-messages.ts';
import { jsonPieces, mutateBytes } from '../fuzz/mutate.ts';
import { pick, randomFrom } from '../fuzz/random.ts';

const bytes = Buffer.from(Array.from({ length: 800 }, (_, i) => (i * 37) & 0xff));
const base64 = bytes.toString('base64');
const memory = Buffer.alloc(1024 * 1024);

/** A message with its payload as bytes, so that both ways of reading can be compared. */
function comparable(message: PipelineMessage | undefined): unknown {
  if (message?.type !== 'audio') return message;
  const { payload } = message;
  const audio = typeof payload === 'string' ? decodeBase64(payload, memory) : payload;
  return { ...message, payload: audio?.toString('hex') };
}

const output = (payload: string, changes: object = {}, audio: object = {}) => ({
  type: 'audio.output',
  sequence: 7,
  speaker: 'customer',
  ...changes,
  audio: { encoding: 'mulaw', sample_rate_hz: 8000, ...audio, payload },
});
/** As Python's `json.dumps` writes it. */
const spaced = (message: object) =>
  JSON.stringify(message, null, 1).replace(/\n */g, ' ').replaceAll('{ ', '{').replaceAll(' }', '}');

const usual = [
  output(base64),
  output('', { sequence: 0 }),
  output('AA==', { speaker: 'agent', sequence: 123_456 }, { encoding: 'alaw' }),
  output('AA', { speaker: undefined }, { encoding: 'pcm_16', sample_rate_hz: 24_000 }),
  output('AAA=', { sequence: undefined }, { sample_rate_hz: 48_000, channels: 1 }),
].flatMap((message) => [JSON.stringify(message), spaced(message)]);

test.each(usual)('%s is read at once, and to the same result', (text) => {
  const frame = Buffer.from(text);
  const message = readUsualAudio(frame);
  expect(message?.type).toBe('audio');
  expect(comparable(message)).toEqual(comparable(readMessage(frame, false)));
});

const unusual = [
  ...[
    output(`${base64}*`),
    output('AA\n'),
    output('AA "quoted'),
    output('ä'),
    output('A', { speaker: 'x'.repeat(41) }),
  ],
  ...[output(base64, { speaker: 'ä' }), output(base64, { sequence: -1 }), output(base64, { sequence: 1.5 })],
  ...[output(base64, {}, { sample_rate_hz: 11_025 }), output(base64, {}, { channels: 2 })],
  ...[
    output(base64, {}, { encoding: 'opus' }),
    output(base64, { more: 1 }),
    output(base64, { type: 'pong' }),
  ],
].map((message) => JSON.stringify(message));

test.each([
  ...unusual,
  JSON.stringify(output('AA//')).replaceAll('/', '\\/'),
  JSON.stringify(output('AAAA')).replace('AAAA', '\\u0041AAA'),
  JSON.stringify(output('AAAA')).replace('"sequence":7', '"sequence":07'),
  JSON.stringify(output('AAAA')).replace('"speaker":"customer"', '"speaker":"customer","speaker":"agent"'),
  JSON.stringify(output('AAAA')).replace('}}', ',"payload":"BBBB"}}'),
  JSON.stringify(output('AAAA')).replace('}}', '},"type":"pong"}'),
  `${JSON.stringify(output('AAAA'))} `,
  ...['', '"payload":', '"payload":"', '{"payload":"}}', '"payload": "}}', '{"type":"pong"}', '"}}'],
])('%s is left to the one that reads everything', (text) => {
  expect(readUsualAudio(Buffer.from(text))).toBeUndefined();
});

test('of whatever it reads, the one that reads everything says the same', () => {
  const random = randomFrom(11);
  const frames = [...usual, ...unusual].map((text) => Buffer.from(text));
  let read = 0;
  for (let i = 0; i < 30_000; i++) {
    const frame = mutateBytes(pick(frames, random), jsonPieces, frames, random);
    const message = readUsualAudio(frame);
    if (message === undefined) continue;
    read++;
    expect(comparable(message), frame.toString('latin1')).toEqual(comparable(readMessage(frame, false)));
  }
  expect(read).toBeGreaterThan(100);
});
