import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decode, encode } from '../support/g711.ts';
import { acme, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { ImpairedPath } from '../support/impaired-path.ts';
import type { Codec } from '../support/phone-codecs.ts';
import type { HeardPacket } from '../support/rtp-packet.ts';
import { Comparison, heardSpeech, PACKET } from '../support/speech-quality.ts';
import type { TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/**
 * Speech through the whole gateway and back, compared with the original: each codec over a good network, and over bad
 * ones that lose, double and delay packets both ways. What is judged is what the path is known to have lost on the way to
 * the gateway; what it lost on the way back is the phone's own affair, and left out. Calls run side by side. A machine
 * that stalls spoils calls: those are made again while there is time.
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
/** Gaps between heard packets up to this are no stall. */
const CALM_MS = 50;
/** A call is worth judging with so much of stalls. */
const MAX_STALLED_MS = 5000;
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
}

/** dB of the packets that were lost, or of all where none were, as far as they can be judged. */
interface Judged {
  lost: number[];
  whole: number[];
}

const STALLED = 'the machine stalled too often for a judgement';

let gateway: TestGateway;
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
  const played = call.media.play(material);
  call.media.unmute();
  await played;
  await sleep(2000);
  const { body } = await gateway.rest('GET', `/v1/sessions/${id}/calls`);
  await call.bye();
  path.close();
  await phone.stop();
  // However much a machine stalls, a quarter of it comes back: silence is no stall.
  expect(call.media.heard.length).toBeGreaterThan(material.length / PACKET / 4);
  return { heard: call.media.heard, lost: path.toService.lost, quality: body.data[0].quality };
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

/** Half of the packets hold speech; of these half should be judged. */
const isEnough = ({ lost, whole }: Judged, lossPercent: number): boolean => {
  const packets = material.length / PACKET / 4;
  return lossPercent === 0 ? whole.length >= packets : lost.length >= (packets * lossPercent) / 100;
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** ms in which less was heard than is due: what is over `CALM_MS` of each pause between packets. */
const stalledMs = ({ heard }: Take): number =>
  heard.slice(1).reduce((sum, { at }, i) => sum + Math.max(0, at - heard[i]!.at - CALM_MS), 0);

/** With more stalls than that, hardly anything is where it belongs. */
const isCalm = (take: Take): boolean =>
  stalledMs(take) < MAX_STALLED_MS && take.quality.packets_late < take.heard.length / 50;

async function keep(kind: (typeof kinds)[number], lossPercent: number, take: Take): Promise<void> {
  const key = keyOf(kind.name, lossPercent);
  takes.set(key, [...(takes.get(key) ?? []), take]);
  const before = judged.get(key) ?? { lost: [], whole: [] };
  const { lost, whole } = isCalm(take) ? await judge(take, kind.codec) : { lost: [], whole: [] };
  judged.set(key, { lost: [...before.lost, ...lost], whole: [...before.whole, ...whole] });
}

beforeAll(async () => {
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
      if (!isEnough(judged.get(keyOf(scene.kind.name, scene.lossPercent))!, scene.lossPercent))
        scenes.push(scene);
    }
  }
}, 150_000);

afterAll(async () => {
  await gateway.stop();
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

test.for(kinds.filter(({ codec }) => codec === 'PCMU' || codec === 'PCMA'))(
  '$name comes back bit-exact',
  ({ name, codec }, context) => {
    const usable = takes
      .get(keyOf(name, 0))!
      .filter((one) => isCalm(one) && one.quality.packets_late === 0 && one.quality.packets_dropped === 0);
    if (usable.length === 0) context.skip(STALLED);
    const sent = encode(codec as 'PCMU' | 'PCMA', material);
    const coded = codec === 'PCMA' ? throughMulaw(sent) : sent;
    for (const one of usable) {
      const { exact, missingMs, insertedMs } = compareHeard(encode('PCMU', material), one.heard, { coded });
      if (insertedMs === 0) expect(exact).toBe(true);
      // A machine that stalls makes silence in between; pieces of less than 10 ms are not looked for.
      expect(missingMs).toBeLessThan(20);
      expect(insertedMs).toBeLessThanOrEqual(stalledMs(one));
    }
  },
);

test.for([
  { name: 'G722', least: 20 },
  { name: 'opus', least: 4 },
])('$name comes back as speech of $least dB and more', ({ name, least }, context) => {
  const { whole } = judged.get(keyOf(name, 0))!;
  if (whole.length < 100) context.skip(STALLED);
  expect(mean(whole)).toBeGreaterThan(least);
});

/** G.722 also has to find its way back after each loss: single losses are held to 3 dB in test/media/loss.test.ts. */
const least: Readonly<Record<Codec, number>> = { PCMU: 3, PCMA: 3, G722: 1.5, opus: 3 };

test.for(kinds)(
  '$name with losses is nearer to the original than with zeros in their place',
  ({ name, codec }, context) => {
    const lost = losses.flatMap((loss) => judged.get(keyOf(name, loss))!.lost);
    if (lost.length < 20) context.skip(STALLED);
    expect(mean(lost)).toBeGreaterThan(least[codec]);
  },
);
