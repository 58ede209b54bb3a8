import { type Codec, decode, encode } from './g711.ts';
import { type Assembled, assemble } from './heard-stream.ts';
import type { HeardPacket } from './rtp-packet.ts';

/**
 * What a phone heard against what was played: the speech itself, found again sample by sample. Silence that a stalled machine put between packets, and pauses that playout shortened, do not count against
 * the speech; they are reported in ms.
 */
const SAMPLES_PER_MS = 8;
/** Speech is looked for by 10 ms; a frame counts as speech when its peak is above -36 dBFS. */
const FRAME = 80;
const SPEECH_PEAK = 512;
/** Where speech goes on after a fault: looked for in steps of 5 ms, up to 15 s further on. */
const STEP = 40;
const SEARCH_SAMPLES = 15_000 * SAMPLES_PER_MS;

export interface HeardReport {
  /** How much of the played speech (pauses not counted) was found, in order: 0 to 1. */
  speechMatched: number;
  /** The speech was found in one piece, byte for byte. */
  exact: boolean;
  /** The speech was found in one piece, within the tolerance of a transcoding where there was one. */
  contiguous: boolean;
  /** ms that came in between what was played, and ms of played speech that were not found. */
  insertedMs: number;
  missingMs: number;
  /** From the first found sample's being played to its being heard; without `playedAt`: its place in what was heard. */
  delayMs: number;
  secondsHeard: number;
}

export interface CompareOptions {
  /** When the first sample was played, ms of `performance.now()`: `startedAt` of `media.play`. */
  playedAt?: number;
  /** Codec of the heard packets; by default that of the first. A-law is compared within a transcoding's tolerance. */
  codec?: Codec;
  /** What has to come back, byte for byte, where that is not what was played: A-law is then compared without tolerance. */
  coded?: Uint8Array;
}

/** A stretch that is the same in both, as sample offsets. */
interface Run {
  played: number;
  heard: number;
  length: number;
}

/**
 * Looks for what was played in what was heard. Play speech: in a steady tone every place looks like the next.
 * @param played mu-law, 8 kHz
 */
export function compareHeard(
  played: Uint8Array,
  packets: readonly HeardPacket[],
  options: CompareOptions = {},
): HeardReport {
  const codec =
    options.codec ?? (packets.find((one) => one.pt === 0 || one.pt === 8)?.pt === 8 ? 'PCMA' : 'PCMU');
  const { bytes: heard, arrivals } = assemble(packets, codec);
  const wanted = options.coded ?? (codec === 'PCMU' ? played : encode('PCMA', decode('PCMU', played)));
  const same = codec === 'PCMU' || options.coded ? identity : alawTolerance();
  const speech = speechFrames(played);
  const runs = findRuns(wanted, heard, speech, same);
  const total = speech.reduce((sum, is) => sum + is, 0) * FRAME;
  const found = runs.reduce(
    (sum, run) => sum + speechSamples(speech, run.played, run.played + run.length),
    0,
  );
  const contiguous = runs.length === 1 && found === total;
  const first = runs[0];
  return {
    speechMatched: total === 0 ? 0 : found / total,
    exact: contiguous && first !== undefined && sameBytes(wanted, heard, first, speech),
    contiguous,
    insertedMs: inserted(runs) / SAMPLES_PER_MS,
    missingMs: (total - found) / SAMPLES_PER_MS,
    delayMs: first === undefined ? Number.NaN : delay(first, arrivals, options.playedAt),
    secondsHeard: heard.length / SAMPLES_PER_MS / 1000,
  };
}

function speechFrames(played: Uint8Array): Uint8Array {
  const samples = decode('PCMU', played);
  return Uint8Array.from({ length: Math.floor(played.length / FRAME) }, (_, i) =>
    samples.subarray(i * FRAME, (i + 1) * FRAME).some((sample) => Math.abs(sample) >= SPEECH_PEAK) ? 1 : 0,
  );
}

function speechSamples(speech: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; ) {
    const next = Math.min(to, (Math.floor(at / FRAME) + 1) * FRAME);
    if (speech[Math.floor(at / FRAME)]) sum += next - at;
    at = next;
  }
  return sum;
}

/** `same[played << 8 | heard]`. */
const identity = Uint8Array.from({ length: 65_536 }, (_, i) => (i >> 8 === (i & 255) ? 1 : 0));

/** A-law that went through mu-law and back is off by up to one step, which is 1/16 of the sample. */
function alawTolerance(): Uint8Array {
  const linear = decode(
    'PCMA',
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  return Uint8Array.from({ length: 65_536 }, (_, i) => {
    const [a, b] = [linear[i >> 8]!, linear[i & 255]!];
    return Math.abs(a - b) <= 32 + Math.abs(a) / 12 ? 1 : 0;
  });
}

/** Greedy: from where the last run ended, the next 10 ms of speech that are found further on, stretched both ways. */
function findRuns(played: Uint8Array, heard: Uint8Array, speech: Uint8Array, same: Uint8Array): Run[] {
  const runs: Run[] = [];
  let [playedEnd, heardEnd] = [0, 0];
  for (let at = 0; at + FRAME <= played.length; ) {
    const isAnchor = speech[Math.floor(at / FRAME)] && speech[Math.floor((at + FRAME - 1) / FRAME)];
    const limit = runs.length === 0 ? heard.length : heardEnd + SEARCH_SAMPLES;
    const place = isAnchor ? search(played, at, heard, heardEnd, limit, same) : -1;
    if (place < 0) {
      at += STEP;
      continue;
    }
    let back = 0;
    while (
      at - back > playedEnd &&
      place - back > heardEnd &&
      alike(played, at - back - 1, heard, place - back - 1, same)
    )
      back++;
    let length = FRAME;
    while (
      at + length < played.length &&
      place + length < heard.length &&
      alike(played, at + length, heard, place + length, same)
    )
      length++;
    runs.push({ played: at - back, heard: place - back, length: length + back });
    playedEnd = at + length;
    heardEnd = place + length;
    at = Math.ceil(playedEnd / STEP) * STEP;
  }
  return runs;
}

function alike(played: Uint8Array, p: number, heard: Uint8Array, h: number, same: Uint8Array): boolean {
  return same[(played[p]! << 8) | heard[h]!] === 1;
}

function search(
  played: Uint8Array,
  at: number,
  heard: Uint8Array,
  from: number,
  to: number,
  same: Uint8Array,
): number {
  const last = Math.min(to, heard.length - FRAME);
  for (let place = from; place <= last; place++) {
    let i = 0;
    while (i < FRAME && same[(played[at + i]! << 8) | heard[place + i]!] === 1) i++;
    if (i === FRAME) return place;
  }
  return -1;
}

/** Samples by which what was heard is longer between two runs than what was played. */
function inserted(runs: readonly Run[]): number {
  return runs.slice(1).reduce((sum, run, i) => {
    const before = runs[i]!;
    const more = run.heard - before.heard - (run.played - before.played);
    return sum + Math.max(0, more);
  }, 0);
}

function sameBytes(wanted: Uint8Array, heard: Uint8Array, run: Run, speech: Uint8Array): boolean {
  const from = Math.max(run.played, speech.indexOf(1) * FRAME);
  const to = Math.min(run.played + run.length, (speech.lastIndexOf(1) + 1) * FRAME);
  const shift = run.heard - run.played;
  return Buffer.compare(wanted.subarray(from, to), heard.subarray(from + shift, to + shift)) === 0;
}

function delay(first: Run, arrivals: Assembled['arrivals'], playedAt: number | undefined): number {
  if (playedAt === undefined) return (first.heard - first.played) / SAMPLES_PER_MS;
  const packet = arrivals.findLast((one) => one.offset <= first.heard)!;
  const heardAt = packet.at + (first.heard - packet.offset) / SAMPLES_PER_MS;
  return heardAt - (playedAt + first.played / SAMPLES_PER_MS);
}
