import { beforeAll, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { mulawToLinear } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { type CodecName, codecNames } from '../../src/config/codecs.ts';
import { codecs } from '../../src/media/codecs.ts';
import { loadOpus } from '../../src/media/opus-codec.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { ReceiveStream } from '../../src/media/receive-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** Speech through a whole receiving leg, each codec as it comes, with packets that are lost. */
const speech = readWav(speechFile);
/** Packets before the speech: after these the network is known to be quick. */
const QUIET_PACKETS = 100;
const FRAME = 160;

beforeAll(loadOpus);

async function encode(codec: CodecName): Promise<Uint8Array[]> {
  const encoder = codecs[codec].encoder(8000, { ...defaultOpusSettings, inbandFec: true });
  // An Opus encoder is there after a moment.
  await new Promise(setImmediate);
  const length = encoder.rateHz / 50;
  const samples = new Int16Array(QUIET_PACKETS * FRAME + speech.length);
  samples.set(speech, QUIET_PACKETS * FRAME);
  const input = new Resampler(8000, encoder.rateHz).process(samples);
  const packet = new Uint8Array(1300);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + length <= input.length; at += length) {
    packets.push(packet.slice(0, encoder.encode(input.subarray(at), length, packet, 0)));
  }
  encoder.close?.();
  return packets;
}

/** @returns what was heard of the speech, and how much of it was made up */
async function receive(codec: CodecName, packets: Uint8Array[], isLost: (n: number) => boolean) {
  const ring = AudioRing.create(262_144);
  const stats = StatsBlock.create();
  const stream = new ReceiveStream(ring, MULAW_8K, stats);
  stream.configure(codec, false, 0);
  await new Promise(setImmediate);
  const header = { payloadType: 0, marker: false, ssrc: 1, payloadOffset: 0 };
  const units = codecs[codec].clockRateHz / 50;
  packets.forEach((packet, n) => {
    const bytes = packet.slice();
    const fields = { ...header, sequence: n, timestamp: n * units, payloadLength: bytes.length };
    if (!isLost(n)) stream.packet(fields, bytes, 'speech', n * 20);
    stream.poll(n * 20 + 10);
  });
  stream.poll(packets.length * 20 + 10);
  stream.close();
  const bytes = new Uint8Array(ring.readable);
  ring.read(bytes);
  expect(bytes).toHaveLength(packets.length * FRAME);
  return { heard: mulawToLinear(bytes), concealedMs: stats.read().concealedMs };
}

/** Five of a hundred, no two of them together, the same ones every time. */
function losses(packets: number, seed: number): Set<number> {
  const lost = new Set<number>();
  let state = seed * 7919;
  for (let n = QUIET_PACKETS + 5; n < packets - 5; n++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (state / 2 ** 32 < 0.05 && !lost.has(n - 1)) lost.add(n);
  }
  return lost;
}

/** dB by which lost packets with speech in them are nearer to what a perfect network brings than zeros are. */
function gain(whole: Int16Array, heard: Int16Array, lost: Set<number>): { sum: number; count: number } {
  let [sum, count] = [0, 0];
  for (const n of lost) {
    let [power, error] = [0, 1];
    for (let i = n * FRAME; i < (n + 1) * FRAME; i++) {
      power += (whole[i] as number) ** 2;
      error += ((whole[i] as number) - (heard[i] as number)) ** 2;
    }
    if (power < FRAME * 100 ** 2) continue;
    sum += Math.max(-10, Math.min(35, 10 * Math.log10(power / error)));
    count++;
  }
  return { sum, count };
}

/** Opus has a copy of the lost packet in the next one; G.722 finds its way back by what was made up. */
const least: Record<CodecName, number> = { PCMU: 3, PCMA: 3, G722: 3, opus: 6 };

test.each(codecNames)(
  '%s with 5 %% loss keeps time, and is nearer to the speech than zeros are',
  async (codec) => {
    const packets = await encode(codec);
    const { heard: whole, concealedMs } = await receive(codec, packets, () => false);
    expect(concealedMs).toBe(0);
    let [sum, count] = [0, 0];
    for (let seed = 1; seed <= 8; seed++) {
      const lost = losses(packets.length, seed);
      const result = await receive(codec, packets, (n) => lost.has(n));
      expect(result.concealedMs).toBe(20 * lost.size);
      const one = gain(whole, result.heard, lost);
      sum += one.sum;
      count += one.count;
    }
    expect(sum / count).toBeGreaterThan(least[codec]);
  },
);

test('an Opus stream that pauses (DTX) loses no time, and its pauses are not taken for losses', async () => {
  const packets = await encode('opus');
  // Nothing is sent in a pause but a packet every 400 ms; sequence numbers go on.
  const isPause = (n: number) => n < QUIET_PACKETS && n % 20 !== 0;
  const ring = AudioRing.create(262_144);
  const stats = StatsBlock.create();
  const stream = new ReceiveStream(ring, MULAW_8K, stats);
  stream.configure('opus', false, 0);
  await new Promise(setImmediate);
  let sequence = 0;
  packets.forEach((packet, n) => {
    if (!isPause(n)) {
      const fields = { payloadType: 0, marker: false, sequence: sequence++, timestamp: n * 960, ssrc: 1 };
      const header = { ...fields, payloadOffset: 0, payloadLength: packet.length };
      stream.packet(header, packet, 'speech', n * 20);
    }
    stream.poll(n * 20 + 10);
  });
  stream.close();
  expect(ring.readable).toBe(packets.length * FRAME);
  expect(stats.read()).toMatchObject({ packetsLost: 0, concealedMs: 0 });
});

test('a change of codec goes on where the one before ended, whatever the clock of its timestamps', async () => {
  const [pcmu, opus, g722] = await Promise.all([encode('PCMU'), encode('opus'), encode('G722')]);
  const ring = AudioRing.create(262_144);
  const stats = StatsBlock.create();
  const stream = new ReceiveStream(ring, MULAW_8K, stats);
  const turns = [
    { codec: 'PCMU', packets: pcmu, units: 160 },
    { codec: 'opus', packets: opus, units: 960 },
    { codec: 'G722', packets: g722, units: 160 },
    { codec: 'PCMA', packets: pcmu, units: 160 },
  ] as const;
  let n = 0;
  for (const { codec, packets, units } of turns) {
    stream.configure(codec, false, n * 20);
    await new Promise(setImmediate);
    for (const packet of packets.slice(QUIET_PACKETS, QUIET_PACKETS + 50)) {
      const fields = { payloadType: 0, marker: false, sequence: n, timestamp: (7_000_000 + n * units) >>> 0 };
      const header = { ...fields, ssrc: 1, payloadOffset: 0, payloadLength: packet.length };
      stream.packet(header, packet.slice(), 'speech', n * 20);
      stream.poll(n * 20 + 10);
      n++;
    }
    expect(ring.readable).toBe(n * FRAME);
  }
  stream.close();
  expect(stats.read()).toMatchObject({ packetsLost: 0, packetsLate: 0, concealedMs: 0, jitterMs: 0 });
});
