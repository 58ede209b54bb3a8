import { describe, expect, test } from 'vitest';
import { Concealment } from '../../src/audio/concealment.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile);

/** Which of the packets are lost: the same ones every time. */
function losses(packets: number, share: number, seed: number): boolean[] {
  let state = seed;
  return Array.from({ length: packets }, (_, n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return n > 4 && n < packets - 4 && state / 2 ** 32 < share;
  });
}

/** Speech with its lost packets filled. */
function conceal(lost: boolean[], packet: number, isNextKnown: boolean): Int16Array {
  const concealment = new Concealment(8000);
  const heard = speech.slice();
  for (let n = 0; n < lost.length; n++) {
    if (!lost[n]) continue;
    let end = n;
    while (lost[end]) end++;
    const gap = new Int16Array((end - n) * packet);
    const before = heard.slice(0, n * packet);
    concealment.fill(before, heard.slice(end * packet), isNextKnown ? packet : 0, gap, gap.length);
    heard.set(gap, n * packet);
    n = end;
  }
  return heard;
}

/** dB by which the lost packets with speech in them are nearer to the original than zeros are, on average. */
function gain(lost: boolean[], packet: number, heard: Int16Array): { sum: number; count: number } {
  let sum = 0;
  let count = 0;
  lost.forEach((isLost, n) => {
    if (!isLost) return;
    let power = 0;
    let error = 1;
    for (let i = n * packet; i < (n + 1) * packet; i++) {
      power += (speech[i] as number) ** 2;
      error += ((speech[i] as number) - (heard[i] as number)) ** 2;
    }
    if (power < packet * 100 ** 2) return;
    sum += Math.max(-10, Math.min(35, 10 * Math.log10(power / error)));
    count++;
  });
  return { sum, count };
}

function segmentalGain(packet: number, share: number, isNextKnown = true): number {
  let sum = 0;
  let count = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const lost = losses(Math.floor(speech.length / packet), share, seed * 7919);
    const one = gain(lost, packet, conceal(lost, packet, isNextKnown));
    sum += one.sum;
    count += one.count;
  }
  return sum / count;
}

const tone = (length: number, from = 0, hz = 125, rate = 8000): Int16Array =>
  Int16Array.from({ length }, (_, i) => 10_000 * Math.sin((2 * Math.PI * hz * (from + i)) / rate));

describe('what was lost', () => {
  test.each([1, 5, 10])(
    'at %i %% loss of 20 ms packets is at least 3 dB nearer to the speech than zeros are',
    (percent) => {
      expect(segmentalGain(160, percent / 100)).toBeGreaterThan(3);
    },
  );

  test('is nearer by 3 dB with 10 ms packets too, and by 1 dB when what follows is not known yet', () => {
    expect(segmentalGain(80, 0.05)).toBeGreaterThan(3);
    expect(segmentalGain(160, 0.05, false)).toBeGreaterThan(1);
  });

  test('of a steady tone goes on as if nothing had happened, at 8 and at 16 kHz', () => {
    for (const rate of [8000, 16_000]) {
      const length = rate / 50;
      const gap = new Int16Array(length);
      const after = tone(length, 4 * length, 125, rate);
      new Concealment(rate).fill(tone(3 * length, 0, 125, rate), after, length, gap, length);
      const expected = tone(length, 3 * length, 125, rate);
      const worst = Math.max(...gap.map((sample, i) => Math.abs(sample - (expected[i] as number))));
      expect(worst).toBeLessThan(400);
    }
  });

  test('dies away within 60 ms while nothing comes, in one piece or in several', () => {
    const concealment = new Concealment(8000);
    const whole = new Int16Array(640);
    concealment.fill(tone(800), whole, 0, whole, 640);
    expect(Math.max(...whole.subarray(0, 80))).toBeGreaterThan(8000);
    expect(whole.subarray(480).every((sample) => sample === 0)).toBe(true);
    const line = new Int16Array(800 + 640);
    line.set(tone(800));
    for (let made = 0; made < 640; made += 160) {
      const piece = new Int16Array(160);
      concealment.fill(line.slice(0, 800 + made), piece, 0, piece, 160, made);
      line.set(piece, 800 + made);
    }
    expect(line.subarray(800 + 480).every((sample) => sample === 0)).toBe(true);
  });

  test('in a long gap is made up near its ends only', () => {
    const gap = new Int16Array(1600);
    new Concealment(8000).fill(tone(800), tone(160), 160, gap, 1600);
    expect(Math.max(...gap.subarray(0, 80))).toBeGreaterThan(8000);
    expect(gap.subarray(480, 1120).every((sample) => sample === 0)).toBe(true);
    expect(Math.max(...gap.subarray(-80))).toBeGreaterThan(8000);
  });

  test('begins without a click', () => {
    const before = speech.subarray(8000, 8800);
    const gap = new Int16Array(160);
    new Concealment(8000).fill(before, speech.subarray(8960), 160, gap, 160);
    const steps = before.map((sample, i) => Math.abs(sample - (before[i - 1] ?? sample)));
    expect(Math.abs((gap[0] as number) - (before.at(-1) as number))).toBeLessThan(Math.max(...steps));
  });

  test('with nothing before and nothing after is silence', () => {
    const gap = new Int16Array(160).fill(5);
    new Concealment(8000).fill(new Int16Array(0), gap, 0, gap, 160);
    expect(gap.every((sample) => sample === 0)).toBe(true);
  });

  test('does not overflow, whatever came', () => {
    const loud = Int16Array.from({ length: 400 }, (_, i) => ((i * 7919) % 2 ? 32_767 : -32_768));
    const gap = new Int16Array(320);
    new Concealment(8000).fill(loud, loud, 160, gap, 320);
    expect(gap.every(Number.isFinite)).toBe(true);
  });
});
