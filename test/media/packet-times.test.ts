import { beforeAll, describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { mulawToLinear } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { CodecName } from '../../src/config/codecs.ts';
import { codecs } from '../../src/media/codecs.ts';
import { loadOpus } from '../../src/media/opus-codec.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { ReceiveStream } from '../../src/media/receive-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** Packets of 10 to 60 ms, changing within a call, while numbers wrap and packets are lost or overtaken. */
const speech = readWav(speechFile);
const times: Record<CodecName, readonly number[]> = {
  PCMU: [20, 10, 60, 30, 50, 40],
  PCMA: [20, 10, 60, 30, 50, 40],
  G722: [20, 10, 60, 30, 50, 40],
  // Frames that Opus has.
  opus: [20, 10, 60, 40],
};
const codecTimes = Object.entries(times) as [CodecName, readonly number[]][];

interface Packet {
  sequence: number;
  timestamp: number;
  ms: number;
  bytes: Uint8Array;
}

beforeAll(loadOpus);

/** Numbers wrap on the way: sequence after 20 packets, timestamps after a second. */
async function encode(codec: CodecName, sizes: readonly number[], fec = true): Promise<Packet[]> {
  const encoder = codecs[codec].encoder(8000, { ...defaultOpusSettings, inbandFec: fec });
  await new Promise(setImmediate);
  const input = new Resampler(8000, encoder.rateHz).process(speech).slice();
  const perMs = encoder.rateHz / 1000;
  const units = codecs[codec].clockRateHz / 1000;
  const into = new Uint8Array(1500);
  const packets: Packet[] = [];
  let at = 0;
  for (let n = 0; ; n++) {
    const ms = sizes[Math.floor(n / 3) % sizes.length] as number;
    if ((at + ms) * perMs > input.length) break;
    const size = encoder.encode(input.subarray(at * perMs), ms * perMs, into, 0);
    const timestamp = (2 ** 32 - 1000 * units + at * units) >>> 0;
    packets.push({ sequence: (65_516 + n) & 0xffff, timestamp, ms, bytes: into.slice(0, size) });
    at += ms;
  }
  encoder.close?.();
  return packets;
}

/** @param order in which they come; each at the time of its place @returns what was heard */
async function receive(codec: CodecName, packets: Packet[], order = packets) {
  const ring = AudioRing.create(262_144);
  const stats = StatsBlock.create();
  const stream = new ReceiveStream(ring, MULAW_8K, stats);
  stream.configure(codec, false, 0);
  await new Promise(setImmediate);
  let now = 0;
  packets.forEach(({ ms }, place) => {
    for (const end = now + ms; now < end; now += 10) stream.poll(now);
    const packet = order[place];
    if (!packet?.bytes.length) return;
    const header = { payloadType: 0, marker: false, ssrc: 1, payloadOffset: 0 };
    const { sequence, timestamp, bytes } = packet;
    stream.packet(
      { ...header, sequence, timestamp, payloadLength: bytes.length },
      bytes.slice(),
      'speech',
      now,
    );
  });
  stream.poll(now + 10);
  stream.poll(now + 190);
  stream.close();
  const heard = new Uint8Array(ring.readable);
  ring.read(heard);
  return { heard, stats: stats.read() };
}

const lengthOf = (packets: readonly Packet[]): number => packets.reduce((sum, { ms }) => sum + ms * 8, 0);

describe.each(codecTimes)('%s in packets of %j ms', (codec, sizes) => {
  test('is one piece, whatever the order of the packets', async () => {
    const packets = await encode(codec, sizes);
    const whole = await receive(codec, packets);
    expect(whole.heard).toHaveLength(lengthOf(packets));
    expect(whole.stats).toMatchObject({ packetsLost: 0, packetsLate: 0, concealedMs: 0 });
    const swapped = packets.map(
      (packet, n) => packets[n % 5 === 3 ? n + 1 : n % 5 === 4 ? n - 1 : n] ?? packet,
    );
    const reordered = await receive(codec, packets, swapped);
    expect(reordered.stats).toMatchObject({ packetsLost: 0, packetsLate: 0, concealedMs: 0 });
    expect(reordered.heard).toEqual(whole.heard);
  });

  test('keeps time when packets are lost, and makes up as much as was in them', async () => {
    const packets = await encode(codec, sizes);
    const isLost = (n: number) => n % 7 === 4 && n < packets.length - 2;
    const arrived = packets.map((packet, n) =>
      isLost(n) ? { ...packet, bytes: new Uint8Array(0) } : packet,
    );
    const lost = packets.filter((_, n) => isLost(n));
    const { heard, stats } = await receive(codec, packets, arrived);
    expect(heard).toHaveLength(lengthOf(packets));
    expect(stats).toMatchObject({
      packetsLost: lost.length,
      packetsLate: 0,
      concealedMs: lengthOf(lost) / 8,
    });
    expect(mulawToLinear(heard).some((sample) => Math.abs(sample) > 1000)).toBe(true);
  });
});
