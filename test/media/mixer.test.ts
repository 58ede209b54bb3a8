import { beforeEach, describe, expect, test } from 'vitest';
import type { AudioFormat } from '../../src/audio/format.ts';
import { alaw, alawOfMulaw, compress, mulaw, mulawOfAlaw } from '../../src/audio/g711.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { HearingOf } from '../../src/media/hearing.ts';
import { Mixer } from '../../src/media/mixer.ts';
import { OutboundAudio } from '../../src/media/outbound-audio.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { Voice } from '../../src/media/voice.ts';
import type { WaitingSound } from '../../src/media/waiting-sound.ts';

const format: AudioFormat = { encoding: 'pcm_16', sampleRateHz: 8000 };
const PACKET = 160;
/** Samples of a ramp (50 ms). */
const RAMP = 400;
const tone: WaitingSound = { kind: 'tone', hz: 400, levelDb: -20, onMs: 1000, offMs: 1000 };
let ring: AudioRing;
let mixer: Mixer;
let agent: Voice;

beforeEach(() => {
  ring = AudioRing.create(32_768);
  mixer = new Mixer(new OutboundAudio(ring, format), StatsBlock.create());
  agent = new Voice(8000);
});

const hear = (changes: Partial<HearingOf<Voice>>): void =>
  mixer.hear({ translation: false, original: null, waiting: null, ...changes });
const level = (value: number): Int16Array => new Int16Array(PACKET).fill(value);

/** Packets of what is heard, while the agent says and the pipeline plays something constant. */
function heard(packets: number, says?: number, plays?: number): number[] {
  const into = new Int16Array(PACKET);
  return Array.from({ length: packets }, () => {
    if (says !== undefined) agent.write(level(says), PACKET);
    if (plays !== undefined) ring.write(new Uint8Array(level(plays).buffer));
    mixer.read(into, PACKET, plays !== undefined);
    return [...into];
  }).flat();
}

function largestStep(samples: number[]): number {
  return Math.max(...samples.slice(1).map((sample, i) => Math.abs(sample - (samples[i] as number))));
}

const decibels = (sample: number | undefined, full: number): number =>
  20 * Math.log10((sample as number) / full);

test('the translation alone is left as it is: there is nothing to mix', () => {
  expect(mixer.isIdle).toBe(true);
  hear({ translation: true, waiting: { kind: 'silence' } });
  expect(mixer.isIdle).toBe(true);
  expect(heard(2, undefined, 1234)).toEqual(Array(2 * PACKET).fill(1234));
});

describe('the other party alone, as it is', () => {
  test.each([
    ['mu-law as mu-law', mulaw, mulaw, undefined],
    ['A-law as A-law', alaw, alaw, undefined],
    ['mu-law as A-law, by the table', mulaw, alaw, alawOfMulaw],
    ['A-law as mu-law, by the table', alaw, mulaw, mulawOfAlaw],
  ] as const)('every code of %s', (_, from, to, table) => {
    hear({ original: { from: agent, gainDb: 0 } });
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
    const said = Uint8Array.from({ length: 256 * 20 }, (_, i) => i & 0xff);
    const sent = new Uint8Array(said.length);
    const into = new Int16Array(PACKET);
    mixer.read(into, PACKET, false);
    for (let at = 0; at < said.length; at += PACKET) {
      agent.writeLaw(from, said, at, PACKET);
      mixer.read(into, PACKET, false);
      compress(to, into, PACKET, sent, at);
    }
    const expected = Buffer.from(table ? codes.map((code) => table[code] as number) : codes);
    expect(
      Buffer.from(sent)
        .subarray(-256 * 4)
        .includes(expected),
    ).toBe(true);
    expect(mixer.isSilent).toBe(false);
  });

  test('comes in within 50 ms, step by step, and goes again; then nothing of it is kept', () => {
    hear({});
    heard(10);
    hear({ original: { from: agent, gainDb: 0 } });
    const coming = heard(20, 8000);
    expect(coming.at(-1)).toBe(8000);
    hear({});
    const going = heard(10, 8000);
    expect(going.slice(RAMP)).toEqual(Array(10 * PACKET - RAMP).fill(0));
    expect(agent.isHeard).toBe(false);
    // Its first samples come up within 5 ms by themselves.
    expect(largestStep(coming)).toBeLessThan(8000 / 40);
    expect(largestStep(going)).toBeLessThanOrEqual(8000 / RAMP + 1);
    hear({ original: { from: agent, gainDb: 0 } });
    expect(heard(20, 3000)).not.toContain(8000);
  });

  test('another one takes its place through silence', () => {
    const other = new Voice(8000);
    hear({ original: { from: agent, gainDb: 0 } });
    heard(20, 8000);
    hear({ original: { from: other, gainDb: 0 } });
    const into = new Int16Array(PACKET);
    const change = Array.from({ length: 20 }, () => {
      agent.write(level(8000), PACKET);
      other.write(level(-8000), PACKET);
      mixer.read(into, PACKET, false);
      return [...into];
    }).flat();
    expect(change[0]).toBeGreaterThan(7900);
    expect(change.at(-1)).toBe(-8000);
    expect(largestStep(change)).toBeLessThanOrEqual(8000 / 40);
    expect(agent.isHeard).toBe(false);
  });

  test('one that ends dies away, and whoever waits hears that it is alone', () => {
    hear({ original: { from: agent, gainDb: 0 }, waiting: tone });
    expect(heard(20, 8000).at(-1)).toBe(8000);
    agent.end();
    heard(10);
    const alone = heard(10);
    expect(Math.max(...alone)).toBeGreaterThan(3000);
    expect(Math.max(...alone)).toBeLessThan(3400);
  });

  test('another rate is converted', () => {
    const wide = new Voice(16_000);
    hear({ original: { from: wide, gainDb: 0 } });
    const into = new Int16Array(PACKET);
    for (let i = 0; i < 20; i++) {
      wide.write(new Int16Array(320).fill(8000), 320);
      mixer.read(into, PACKET, false);
    }
    expect(Math.abs(decibels(into[0], 8000))).toBeLessThan(0.1);
  });
});

describe('the original beneath the translation', () => {
  const beneath = { translation: true, original: { gainDb: -3, duckedDb: -20 } };
  const duck = (): void => hear({ ...beneath, original: { from: agent, ...beneath.original } });

  test('is ducked while a translation sounds, and comes back after it; levels are right to 0.5 dB', () => {
    duck();
    expect(Math.abs(decibels(heard(20, 10_000).at(-1), 10_000) + 3)).toBeLessThan(0.5);
    const ducked = heard(20, 10_000, 5000);
    expect(Math.abs(decibels((ducked.at(-1) as number) - 5000, 10_000) + 20)).toBeLessThan(0.5);
    // From the second packet on, so that the translation's own beginning does not count.
    expect(largestStep(ducked.slice(1))).toBeLessThanOrEqual(10_000 / RAMP + 1);
    // The pauses between words are not the end of it.
    const pause = heard(10, 10_000);
    expect(pause.at(-1)).toBe((ducked.at(-1) as number) - 5000);
    const after = heard(25, 10_000);
    expect(Math.abs(decibels(after.at(-1), 10_000) + 3)).toBeLessThan(0.5);
    expect(largestStep(after)).toBeLessThanOrEqual(10_000 / RAMP + 1);
  });

  test('is not ducked by a pipeline that sends silence', () => {
    duck();
    const both = heard(40, 10_000, 0);
    expect(Math.abs(decibels(both.at(-1), 10_000) + 3)).toBeLessThan(0.5);
  });

  test('never wraps where both are loud', () => {
    hear({ translation: true, original: { from: agent, gainDb: 0 } });
    expect(heard(20, 30_000, 30_000).slice(-PACKET)).toEqual(Array(PACKET).fill(32_767));
    expect(heard(20, -30_000, -30_000).slice(-PACKET)).toEqual(Array(PACKET).fill(-32_768));
  });
});

test('a translation that is switched off goes within 50 ms, and one that is switched on comes up with its first sample', () => {
  hear({ translation: true, original: { from: agent, gainDb: 0 } });
  heard(5, 0, 6000);
  hear({ original: { from: agent, gainDb: 0 } });
  const going = heard(10, 0, 6000);
  expect(going[0]).toBeGreaterThan(5900);
  expect(largestStep(going)).toBeLessThanOrEqual(6000 / RAMP + 1);
  expect(going.at(-1)).toBe(0);
  expect(mixer.isDeaf).toBe(true);
  hear({ translation: true });
  heard(20);
  const coming = heard(10, undefined, 6000);
  expect(largestStep([0, ...coming])).toBeLessThanOrEqual(6000 / RAMP + 1);
  expect(coming.at(-1)).toBe(6000);
  expect(mixer.isIdle).toBe(true);
});

describe('the waiting sound', () => {
  const loudest = (samples: number[]): number => Math.max(...samples.map(Math.abs));

  test('is heard while there is nobody and nothing else, and gives way without a click', () => {
    hear({ translation: true, waiting: tone });
    const alone = heard(20);
    expect(loudest(alone)).toBeGreaterThan(3200);
    expect(loudest(alone)).toBeLessThan(3300);
    expect(mixer.isSilent).toBe(false);
    const interrupted = heard(10, undefined, 500);
    expect(new Set(interrupted.slice(RAMP))).toEqual(new Set([500]));
    hear({ translation: true, original: { from: agent, gainDb: 0 }, waiting: tone });
    heard(30, 0);
    expect(loudest(heard(50, 0))).toBe(0);
  });

  test('is the same one however often it is told', () => {
    hear({ waiting: tone });
    heard(5);
    hear({ waiting: { ...tone } });
    // 2000 Hz of ripple would show: a tone that began again would fade out first.
    const on = heard(40).slice(0, 6000);
    for (let at = 0; at < on.length - 40; at += 20)
      expect(loudest(on.slice(at, at + 20))).toBeGreaterThan(3200);
  });

  test('a loop comes round, at the level that it has', () => {
    const samples = new SharedArrayBuffer(2 * 100);
    new Int16Array(samples).forEach((_, i, loop) => {
      loop[i] = 100 + i;
    });
    hear({ waiting: { kind: 'loop', samples } });
    const around = heard(10).slice(RAMP);
    expect(around).toEqual(around.map((_, i) => 100 + ((RAMP + i) % 100)));
  });
});
