import { decode, encode } from './g711.ts';
import type { HeardPacket } from './rtp-packet.ts';

/**
 * Parties that speak in tones, and a pipeline that translates a tone to another: who hears whom can be told from 100 ms of
 * what is heard. The tones are multiples of 50 Hz: over whole packets each is whole, and nothing of it is in the others.
 * None is near another, nor near the waiting sound: where a packet was late, a tone that breaks off reaches its neighbours.
 */
export const spoken = { customer: 200, agent: 600 } as const;
export const translated = { customer: 1000, agent: 1500 } as const;
type Speaker = keyof typeof spoken;

const NAMES: ReadonlyMap<number, string> = new Map([
  [spoken.customer, 'customer'],
  [spoken.agent, 'agent'],
  [translated.customer, 'customer translated'],
  [translated.agent, 'agent translated'],
  // The waiting sound `tone`.
  [425, 'waiting'],
]);
const AMPLITUDE = 8000;
const WINDOW_PACKETS = 5;
/** A tone that is fainter than this is not heard, as what others leave of themselves where they begin; a tenth of what is spoken is. */
const FAINTEST = 500;

export function tone(hz: number, ms: number, amplitude = AMPLITUDE): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hz * i) / 8000)),
  );
}

const SILENCE = 0xff;
/** One second of each translation. */
const translations = {
  customer: Buffer.from(encode('PCMU', tone(translated.customer, 1000))),
  agent: Buffer.from(encode('PCMU', tone(translated.agent, 1000))),
};

/** The tone that stands for what a speaker said in this piece, as long as it is, or silence where nothing was said. */
export function translateTone(speaker: string, audio: Buffer): Buffer {
  const isSilent = audio.every((byte) => (byte & 0x70) === 0x70);
  if (isSilent) return Buffer.alloc(audio.length, SILENCE);
  return translations[speaker as Speaker].subarray(0, audio.length);
}

/** How loud a tone is in these samples, in dB against how loud it is spoken (Goertzel). */
export function levelDb(samples: Int16Array, hz: number): number {
  return 20 * Math.log10(Math.max(amplitudeOf(samples, hz), 1e-3) / AMPLITUDE);
}

function amplitudeOf(samples: Int16Array, hz: number): number {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / 8000);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + turn * last - before, last];
  return (2 / samples.length) * Math.sqrt(last * last + before * before - turn * last * before);
}

/** Whom a phone has heard in 100 ms, `from` a packet on; PCMU. */
function voicesAt(heard: readonly HeardPacket[], from: number): string[] {
  const samples = samplesOf(heard.slice(from, from + WINDOW_PACKETS));
  return [...NAMES].filter(([hz]) => amplitudeOf(samples, hz) >= FAINTEST).map(([, name]) => name);
}

const samplesOf = (packets: readonly HeardPacket[]): Int16Array =>
  decode('PCMU', Buffer.concat(packets.map(({ payload }) => payload)));

/** The last 100 ms that a phone has heard. */
export const lastSamples = (heard: readonly HeardPacket[]): Int16Array =>
  samplesOf(heard.slice(-WINDOW_PACKETS));

/** Whom a phone hears now. */
export const voices = (heard: readonly HeardPacket[]): string[] =>
  heard.length < WINDOW_PACKETS ? [] : voicesAt(heard, heard.length - WINDOW_PACKETS);

/** Everybody whom a phone has heard since a packet, in order of first appearance. */
export function voicesSince(heard: readonly HeardPacket[], from = 0): string[] {
  const all = new Set<string>();
  for (let at = from; at + WINDOW_PACKETS <= heard.length; at++)
    for (const voice of voicesAt(heard, at)) all.add(voice);
  return [...all];
}

/** When somebody was heard first, since a packet; `performance.now()`, undefined = never. */
export function heardFirstAt(heard: readonly HeardPacket[], voice: string, from = 0): number | undefined {
  for (let at = from; at + WINDOW_PACKETS <= heard.length; at++)
    if (voicesAt(heard, at).includes(voice)) return heard[at + WINDOW_PACKETS - 1]?.at;
  return undefined;
}
