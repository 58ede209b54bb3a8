import { expect, test } from 'vitest';
import { AudioRing } from '../../src/audio/ring.ts';
import { Speech } from '../../src/pipeline/speech.ts';
import { speech as audioOf } from './link-fixture.ts';

const chunkBytes = 800;

function setup(): { speech: Speech; ring: AudioRing } {
  return { speech: new Speech(100), ring: AudioRing.create(8192) };
}

test('cuts what the party says into whole chunks, nothing lost, numbered from 1', () => {
  const { speech, ring } = setup();
  const said = audioOf(2000);
  const chunks: Buffer[] = [];
  const numbers: number[] = [];
  for (let at = 0; at < said.length; at += 160) {
    ring.write(said, at, Math.min(160, said.length - at));
    const chunk = speech.take(ring, at / 8);
    if (chunk === undefined) continue;
    chunks.push(Buffer.from(chunk.audio));
    numbers.push(chunk.sequence);
  }
  expect(numbers).toEqual([1, 2]);
  expect(Buffer.concat(chunks)).toEqual(said.subarray(0, 2 * chunkBytes));
  expect(ring.readable).toBe(400);
});

test('stamps a chunk with the wall clock of its first sample', () => {
  const { speech, ring } = setup();
  ring.write(audioOf(1200));
  expect(speech.take(ring, 50_000)?.timestampMs).toBe(49_850);
});

test('stamps follow each other without gaps although audio comes in bursts', () => {
  const { speech, ring } = setup();
  const stamps: number[] = [];
  // Six chunks, each up to 90 ms later or earlier than the even beat.
  for (const [i, late] of [0, 90, 10, 60, 0, 80].entries()) {
    ring.write(audioOf(chunkBytes));
    stamps.push(speech.take(ring, 1000 + i * 100 + late)!.timestampMs);
  }
  expect(stamps).toEqual([900, 1000, 1100, 1200, 1300, 1400]);
});

test('stamps follow the wall clock after a gap', () => {
  const { speech, ring } = setup();
  ring.write(audioOf(chunkBytes));
  speech.take(ring, 1000);
  ring.write(audioOf(chunkBytes));
  expect(speech.take(ring, 9000)?.timestampMs).toBe(8900);
});

test('what is said on hold is forgotten, and numbers go on after it', () => {
  const { speech, ring } = setup();
  ring.write(audioOf(chunkBytes));
  speech.take(ring, 1000);
  ring.write(audioOf(5000));
  speech.skip(ring);
  expect(ring.readable).toBe(0);
  ring.write(audioOf(chunkBytes, 9));
  expect(speech.take(ring, 1100)).toMatchObject({ sequence: 2, timestampMs: 1000, audio: audioOf(800, 9) });
});
