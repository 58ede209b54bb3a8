import { describe, expect, test } from 'vitest';
import { type Codec, decode, encode, payloadTypeOf, silenceOf } from './g711.ts';
import { compareHeard } from './heard.ts';
import { pacing } from './pacing.ts';
import type { HeardPacket } from './rtp-packet.ts';
import { readWav, speechFile } from './wav.ts';

const played = encode('PCMU', readWav(speechFile));

/** Packets of 20 ms that arrive on time, beginning shortly before sequence numbers and timestamps wrap. */
function packetsOf(bytes: Uint8Array, codec: Codec = 'PCMU'): HeardPacket[] {
  return Array.from({ length: Math.floor(bytes.length / 160) }, (_, i) => ({
    seq: (65_530 + i) & 0xffff,
    timestamp: (2 ** 32 - 800 + 160 * i) >>> 0,
    marker: i === 0,
    pt: payloadTypeOf[codec],
    ssrc: 7,
    payload: bytes.slice(i * 160, (i + 1) * 160),
    at: 1000 + 20 * i,
    from: 4000,
  }));
}

const silence = (ms: number, codec: Codec = 'PCMU') => new Uint8Array(ms * 8).fill(silenceOf[codec]);
const around = (...parts: Uint8Array[]): Uint8Array => Buffer.concat([silence(500), ...parts, silence(500)]);

describe('compareHeard', () => {
  test('finds an untouched copy exactly, and says how late it is', () => {
    const report = compareHeard(played, packetsOf(around(played)), { playedAt: 1300 });
    expect(report).toMatchObject({
      speechMatched: 1,
      exact: true,
      contiguous: true,
      insertedMs: 0,
      missingMs: 0,
    });
    expect(report.delayMs).toBeCloseTo(200, 5);
    expect(report.secondsHeard).toBeCloseTo(played.length / 8000 + 1, 1);
  });

  test('is not disturbed by packets that came late or twice', () => {
    const packets = packetsOf(around(played));
    const shuffled = packets.flatMap((one, i) =>
      i % 7 === 3 ? [packets[i + 1]!, one, one] : i % 7 === 4 ? [] : [one],
    );
    expect(compareHeard(played, shuffled.filter(Boolean))).toMatchObject({ exact: true, speechMatched: 1 });
  });

  test('takes silence in the middle for what it is: all the speech is there, but not in one piece', () => {
    const cut = 12_345;
    const heard = around(played.subarray(0, cut), silence(340), played.subarray(cut));
    const report = compareHeard(played, packetsOf(heard));
    expect(report.speechMatched).toBe(1);
    expect(report).toMatchObject({ exact: false, contiguous: false, missingMs: 0 });
    expect(report.insertedMs).toBeCloseTo(340, 0);
  });

  test('counts what a lost packet took away, and nothing more', () => {
    const packets = packetsOf(around(played));
    // Packet 80 is 1.6 s into what was heard, so 1.1 s into the speech.
    const report = compareHeard(played, packets.toSpliced(80, 1));
    expect(report.missingMs).toBeGreaterThan(10);
    expect(report.missingMs).toBeLessThanOrEqual(20);
    expect(report).toMatchObject({ exact: false, insertedMs: 0 });
  });

  test('sees a single changed byte', () => {
    const changed = played.slice();
    changed[12_000] = changed[12_000]! ^ 0x10;
    const report = compareHeard(played, packetsOf(around(changed)));
    expect(report.exact).toBe(false);
    expect(report.missingMs).toBeCloseTo(1 / 8, 5);
  });

  test('does not take speech in another order, or other sounds, for what was played', () => {
    const half = played.length >> 1;
    const swapped = around(played.subarray(half), played.subarray(0, half));
    expect(compareHeard(played, packetsOf(swapped)).speechMatched).toBeLessThan(0.7);
    const reversed = around(played.toReversed());
    expect(compareHeard(played, packetsOf(reversed)).speechMatched).toBe(0);
  });

  test('reports nothing found in silence, and nothing heard without packets', () => {
    expect(compareHeard(played, packetsOf(silence(3000)))).toMatchObject({ speechMatched: 0, exact: false });
    expect(compareHeard(played, [])).toMatchObject({
      speechMatched: 0,
      secondsHeard: 0,
      delayMs: Number.NaN,
    });
  });

  test('joins what came under two SSRCs', () => {
    const packets = packetsOf(around(played)).map((one, i) =>
      i < 90
        ? one
        : { ...one, ssrc: 8, seq: (one.seq + 999) & 0xffff, timestamp: (one.timestamp + 55_555) >>> 0 },
    );
    expect(compareHeard(played, packets)).toMatchObject({ speechMatched: 1, exact: true });
  });

  test('compares A-law within the tolerance of a transcoding through mu-law, and no further', () => {
    const alaw = encode('PCMA', decode('PCMU', played));
    const there = encode('PCMA', decode('PCMU', encode('PCMU', decode('PCMA', alaw))));
    const pad = (bytes: Uint8Array) => Buffer.concat([silence(500, 'PCMA'), bytes, silence(500, 'PCMA')]);
    expect(compareHeard(played, packetsOf(pad(there), 'PCMA'))).toMatchObject({
      speechMatched: 1,
      contiguous: true,
    });
    expect(compareHeard(played, packetsOf(pad(alaw), 'PCMA'))).toMatchObject({
      speechMatched: 1,
      exact: true,
    });
    const louder = encode(
      'PCMA',
      decode('PCMU', played).map((sample) => sample * 1.5),
    );
    expect(compareHeard(played, packetsOf(pad(louder), 'PCMA')).speechMatched).toBeLessThan(0.1);
  });
});

describe('pacing', () => {
  test('finds no fault with packets in step, over the wrap of their numbers', () => {
    expect(pacing(packetsOf(played))).toMatchObject({
      packets: Math.floor(played.length / 160),
      ssrcs: 1,
      lost: 0,
      duplicates: 0,
      reordered: 0,
      timestampFaults: 0,
      markers: 1,
      jitterP99Ms: 0,
      driftMs: 0,
    });
  });

  test('counts losses, repetitions, reorderings and steps of the timestamp', () => {
    const packets = packetsOf(played);
    const faulty = packets.toSpliced(20, 2).toSpliced(30, 0, packets[10]!);
    faulty[40] = { ...faulty[40]!, at: faulty[40]!.at + 30 };
    for (const one of faulty.slice(60)) one.timestamp = (one.timestamp + 160) >>> 0;
    expect(pacing(faulty)).toMatchObject({ lost: 2, duplicates: 1, reordered: 1, timestampFaults: 1 });
  });

  test('measures jitter and drift', () => {
    const late = packetsOf(played).map((one, i) => ({ ...one, at: one.at + 0.2 * i + (i % 2) * 3 }));
    const report = pacing(late);
    expect(report.driftMs).toBeCloseTo(0.2 * (late.length - 1), -1);
    expect(report.jitterP50Ms).toBeGreaterThan(2);
    expect(report.jitterP99Ms).toBeLessThan(4);
  });
});
