import type { MediaPort } from './media-port.ts';
import type { WaitingSound } from './waiting-sound.ts';

/**
 * What a leg hears (decisions §4, §6). Everything may change at any time, and does so within 50 ms, without a click and
 * without anything that was said before.
 */
export interface Hearing {
  /** The pipeline's audio, from the outbound ring; false: what is in the ring and comes to it is dropped. */
  translation: boolean;
  /** The other party's own voice, inside the worker, without the pipeline in between; null = not heard. */
  original: OriginalVoice<MediaPort> | null;
  /** What is heard while there is no other party to hear and no translation is played; null = silence. */
  waiting: WaitingSound | null;
}

/** Levels are in dB against how loud it is, 0 at most. */
interface OriginalVoice<From> {
  /** A leg of the same session. One that is on hold, has ended, or is in another worker is silence. */
  from: From;
  gainDb: number;
  /** The level while a translation is being played; absent = `gainDb`. */
  duckedDb?: number;
}

/** The same as a worker knows it: legs have numbers. */
export interface LegHearing extends Omit<Hearing, 'original'> {
  original: OriginalVoice<number> | null;
}
