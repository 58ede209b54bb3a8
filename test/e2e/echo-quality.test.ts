import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { decode, encode } from '../support/g711.ts';
import { acme, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { ImpairedPath } from '../support/impaired-path.ts';
import { Lateness } from '../support/lateness.ts';
import type { Codec } from '../support/phone-codecs.ts';
import type { HeardPacket } from '../support/rtp-packet.ts';
import { Comparison, heardSpeech, PACKET } from '../support/speech-quality.ts';
import type { TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/**
 * Speech through the whole gateway and back, compared with the original: each codec over a good network, and over bad
 * ones that lose, double and delay packets both ways. What is judged is what the path is known to have lost on the way to
 * the gateway; what it lost on the way back is the phone's own affair, and left out. Calls run side by side. How late the
 * machine is, is measured beside them: takes that it spoils are made again, so many times.
 */
const kinds: readonly { name: string; codec: Codec; options?: TestPhoneOptions }[] = [
  { name: 'PCMU', codec: 'PCMU' },
  { name: 'PCMA', codec: 'PCMA' },
  { name: 'G722', codec: 'G722' },
  { name: 'opus', codec: 'opus' },
  { name: 'PCMU in SRTP', codec: 'PCMU', options: { srtp: 'AES_CM_128_HMAC_SHA1_80' } },
];
const losses = [0, 1, 5, 10];
/** Calls side by side. */
const AT_ONCE = 7;
/** In a take in which the machine is later than that, hardly anything is where it belongs. */
const MAX_LATE_MS = 8000;
/** After so many without one of a machine on time, none is made for that alone. */
const MOST_LATE_TAKES = 3;
/** None is made after so long. */
const ENOUGH_TIME_MS = 58_000;

/** A second in which the gateway learns the network, and then the same words in voices of different height and speed. */
const voices = [0.88, 1, 1.14].map((speed) => spoken(readWav(speechFile), speed));
const material = Int16Array.from([...new Int16Array(8000), ...voices.flatMap((voice) => [...voice])]);

function spoken(speech: Int16Array, speed: number): Int16Array {
  return Int16Array.from({ length: Math.floor((speech.length - 1) / speed) }, (_, i) => {
    const at = Math.floor(i * speed);
    const part = i * speed - at;
    return speech[at]! * (1 - part) + speech[at + 1]! * part;
  });
}

interface Take {
  heard: readonly HeardPacket[];
  /** Numbers of the packets that the path lost on the way to the gateway, from the first of the material on. */
  lost: readonly number[];
  quality: { packets_late: number; packets_dropped: number };
  /** What the machine was late by, all together: while it spoke, and the gateway and the phone heard it. */
  lateMs: number;
}

/** dB of the packets that were lost, or of all where none were, as far as they can be judged. */
interface Judged {
  lost: number[];
  whole: number[];
}

let gateway: TestGateway;
let lateness: Lateness;
const takes = new Map<string, Take[]>();
const judged = new Map<string, Judged>();
const keyOf = (name: string, lossPercent: number): string => `${name}, ${lossPercent} %`;

interface Scene {
  kind: (typeof kinds)[number];
  lossPercent: number;
}

/** A call that is up, and says nothing yet. */
async function setUp({ kind, lossPercent }: Scene, seed: number) {
  const phone = await gateway.phone({ codecs: [kind.codec], ...kind.options });
  const id = await gateway.session();
  // Nothing goes past the path: the gateway locks onto where the first packet comes from.
  const invite = () => phone.call(gateway.uri(id), { onProvisional: (_, one) => one.media.mute() });
  let call = await invite();
  for (let again = 0; call.status === 503 && again < 20; again++) {
    // A machine that stalls takes no new calls for a moment.
    await sleep(250);
    call = await invite();
  }
  expect(call.status).toBe(200);
  const { address, port, eventPayloadType } = call.remote!;
  const bad = { duplicatePercent: 1, reorderPercent: 100, reorderMs: 40 };
  const impairment = { seed, lossPercent, ...(lossPercent > 0 && bad) };
  const path = await ImpairedPath.open(`${address}:${port}`, impairment);
  const [host = '', front] = path.address.split(':');
  const way = { address: host, port: Number(front), codec: kind.codec };
  call.media.configure({ ...way, eventPayloadType, direction: 'sendrecv' });
  return { phone, id, call, path };
}

async function speak({ phone, id, call, path }: Awaited<ReturnType<typeof setUp>>): Promise<Take> {
  const begunAt = performance.now();
  const played = call.media.play(material);
  call.media.unmute();
  await played;
  await sleep(2000);
  const lateMs = lateness.since(begunAt);
  const { body } = await gateway.rest('GET', `/v1/sessions/${id}/calls`);
  await call.bye();
  path.close();
  await phone.stop();
  // However late a machine is, a quarter of it comes back.
  expect(call.media.heard.length).toBeGreaterThan(material.length / PACKET / 4);
  return { heard: call.media.heard, lost: path.toService.lost, quality: body.data[0].quality, lateMs };
}

/** Runs of numbers that follow each other: [first, last]. */
function bursts(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const run = runs.at(-1);
    if (run && run[1] === n - 1) run[1] = n;
    else runs.push([n, n]);
  }
  return runs;
}

async function judge({ heard, lost }: Take, codec: Codec): Promise<Judged> {
  const comparison = new Comparison(material, await heardSpeech(heard, codec), codec);
  const whole: number[] = [];
  for (let n = 50; lost.length === 0 && n < material.length / PACKET - 1; n++) {
    whole.push(...(comparison.judge(n) ?? []));
  }
  return { lost: bursts(lost).flatMap(([first, last]) => comparison.judge(first, last) ?? []), whole };
}

const isBitExact = (codec: Codec): codec is 'PCMU' | 'PCMA' => codec === 'PCMU' || codec === 'PCMA';

/** Half of the packets hold speech; of these half should be judged. What is to come back bit for bit needs a machine on time. */
function isEnough({ kind, lossPercent }: Scene): boolean {
  const key = keyOf(kind.name, lossPercent);
  const { lost, whole } = judged.get(key)!;
  const all = takes.get(key)!;
  const packets = material.length / PACKET / 4;
  if (lossPercent > 0) return lost.length >= (packets * lossPercent) / 100;
  const isExactJudged = !isBitExact(kind.codec) || all.some(isOnTime) || all.length >= MOST_LATE_TAKES;
  return whole.length >= packets && isExactJudged;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const isOnTime = ({ lateMs }: Take): boolean => lateMs === 0;

/** Skips a test whose takes do not suffice. @throws Error when the machine was on time in one of them: it is not to blame then */
function skip({ skip, task }: TestContext, all: readonly Take[]): void {
  if (all.some(isOnTime)) throw new Error('the machine was on time, and there is too little to judge');
  const why = `the machine was late in all ${all.length} takes, by ${all.map(({ lateMs }) => lateMs.toFixed(0)).join(', ')} ms`;
  console.log(`Not judged: ${task.name}: ${why}`);
  skip(why);
}

async function keep(kind: (typeof kinds)[number], lossPercent: number, take: Take): Promise<void> {
  const key = keyOf(kind.name, lossPercent);
  takes.set(key, [...(takes.get(key) ?? []), take]);
  const before = judged.get(key) ?? { lost: [], whole: [] };
  const { lost, whole } = take.lateMs < MAX_LATE_MS ? await judge(take, kind.codec) : { lost: [], whole: [] };
  judged.set(key, { lost: [...before.lost, ...lost], whole: [...before.whole, ...whole] });
}

beforeAll(async () => {
  lateness = new Lateness(/^media-/);
  gateway = await TestGateway.start({ organizations: [{ ...acme, sip: { ...acme.sip, srtp: 'optional' } }] });
  const scenes = kinds.flatMap((kind) => losses.map((lossPercent) => ({ kind, lossPercent })));
  const start = performance.now();
  for (let seed = 1; scenes.length > 0 && performance.now() - start < ENOUGH_TIME_MS; seed++) {
    const group = scenes.splice(0, AT_ONCE);
    const calls: Awaited<ReturnType<typeof setUp>>[] = [];
    for (const scene of group) calls.push(await setUp(scene, 10 * seed + scene.lossPercent));
    const made = await Promise.all(calls.map(speak));
    for (const [i, scene] of group.entries()) {
      await keep(scene.kind, scene.lossPercent, made[i]!);
      if (!isEnough(scene)) scenes.push(scene);
    }
  }
}, 150_000);

afterAll(async () => {
  await gateway.stop();
  lateness.stop();
  const db = (values: readonly number[]): string => (values.length ? `${mean(values).toFixed(1)} dB` : '-');
  const lines = kinds.map(({ name }) => {
    const all = losses.map((loss) => judged.get(keyOf(name, loss)) ?? { lost: [], whole: [] });
    const cells = [db(all[0]!.whole), ...all.slice(1).map(({ lost }) => `${db(lost)} (${lost.length})`)];
    return `${name.padEnd(14)}${cells.map((one) => one.padStart(16)).join('')}`;
  });
  const head = ['clean', ...losses.slice(1).map((loss) => `${loss} % lost`)]
    .map((one) => one.padStart(16))
    .join('');
  console.log(
    `Segmental SNR; of lost packets (so many), which is the gain over zeros in their place\n${' '.repeat(14)}${head}\n${lines.join('\n')}`,
  );
});

/** A-law on its way through mu-law and back: of its 256 codes 16 have none of their own there (G.711 §3.4). */
const throughMulaw = (alaw: Uint8Array): Uint8Array =>
  encode('PCMA', decode('PCMU', encode('PCMU', decode('PCMA', alaw))));

test.for(kinds.flatMap(({ name, codec }) => (isBitExact(codec) ? [{ name, codec }] : [])))(
  '$name comes back bit-exact',
  ({ name, codec }, context) => {
    const sent = encode(codec, material);
    const coded = codec === 'PCMA' ? throughMulaw(sent) : sent;
    const all = takes.get(keyOf(name, 0))!;
    const heardOf = ({ heard }: Take) => compareHeard(encode('PCMU', material), heard, { coded });
    for (const one of all.filter(isOnTime)) {
      expect({ exact: heardOf(one).exact, ...one.quality }).toMatchObject({
        exact: true,
        packets_late: 0,
        packets_dropped: 0,
      });
    }
    // What came in time on a machine that was late comes back in pieces, with silence between them: how much, lateness does not
    // bound (test/support/lateness.ts), but no speech is missing.
    const others = all.filter(
      ({ lateMs, quality }) =>
        lateMs > 0 && lateMs < MAX_LATE_MS && quality.packets_late + quality.packets_dropped === 0,
    );
    // Pieces of less than 10 ms are not looked for.
    for (const one of others) expect(heardOf(one).missingMs).toBeLessThan(20);
    if (others.length === 0 && !all.some(isOnTime)) skip(context, all);
  },
);

test.for([
  { name: 'G722', least: 20 },
  { name: 'opus', least: 4 },
])('$name comes back as speech of $least dB and more', ({ name, least }, context) => {
  const { whole } = judged.get(keyOf(name, 0))!;
  if (whole.length < 100) skip(context, takes.get(keyOf(name, 0))!);
  expect(mean(whole)).toBeGreaterThan(least);
});

/** G.722 also has to find its way back after each loss: single losses are held to 3 dB in test/media/loss.test.ts. */
const least: Readonly<Record<Codec, number>> = { PCMU: 3, PCMA: 3, G722: 2, opus: 3 };

test.for(kinds)(
  '$name with losses is nearer to the original than with zeros in their place',
  ({ name, codec }, context) => {
    const lost = losses.flatMap((loss) => judged.get(keyOf(name, loss))!.lost);
    if (lost.length < 20)
      skip(
        context,
        losses.slice(1).flatMap((loss) => takes.get(keyOf(name, loss))!),
      );
    expect(mean(lost)).toBeGreaterThan(least[codec]);
  },
);
