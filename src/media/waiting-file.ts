import { readFileSync, statSync } from 'node:fs';
import { Resampler } from '../audio/resampler.ts';
import { readWav } from '../audio/wav.ts';
import type { WaitingSound } from './waiting-sound.ts';

/** Four minutes at 8 kHz of 16 bits, two at 16 kHz; every worker reads it from the same memory. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const RATE_HZ = 8000;
/** Where the end meets the beginning, both are faded by 10 ms. */
const EDGE_SAMPLES = 80;
/** Ringing as one hears it in most of Europe, softly. */
const TONE: WaitingSound = { kind: 'tone', hz: 425, levelDb: -24, onMs: 1000, offMs: 4000 };

/**
 * What `session.waiting` names: `silence`, `tone`, or a WAV file, which is read at once.
 * @throws Error in plain words when the file cannot be used
 */
export function openWaitingSound(setting: string): WaitingSound {
  if (setting === 'silence') return { kind: 'silence' };
  if (setting === 'tone') return TONE;
  try {
    return { kind: 'loop', samples: loopOf(setting) };
  } catch (error) {
    throw new Error(`session.waiting: ${setting} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function loopOf(file: string): SharedArrayBuffer {
  const facts = statSync(file);
  if (!facts.isFile()) throw new Error('it is not a file');
  const { size } = facts;
  if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes; at most ${MAX_FILE_BYTES} are taken`);
  const { rateHz, samples } = readWav(readFileSync(file));
  const sound = rateHz === RATE_HZ ? samples : new Resampler(rateHz, RATE_HZ).process(samples);
  const loop = new Int16Array(new SharedArrayBuffer(2 * sound.length));
  sound.forEach((sample, i) => {
    const edge = Math.min(1, i / EDGE_SAMPLES, (sound.length - 1 - i) / EDGE_SAMPLES);
    loop[i] = Math.round(sample * edge);
  });
  return loop.buffer;
}
