import type { MediaPort } from './media-port.ts';
import type { WaitingSound } from './waiting-sound.ts';

/** What a leg hears (decisions §4, §6), however other legs are named where it is said. */
export interface HearingOf<Speaker> {
  /** The pipeline's audio, from the outbound ring; false: what is in the ring and comes to it is dropped. */
  translation: boolean;
  /**
   * The other party's own voice, inside the worker, without the pipeline in between; null = not heard. A leg that is on
   * hold, has ended, or is in another worker is silence. Levels are in dB against how loud it is, 0 at most.
   */
  original: {
    from: Speaker;
    gainDb: number;
    /** The level while a translation is being played; absent = `gainDb`. */
    duckedDb?: number;
  } | null;
  /** What is heard while there is no other party to hear and no translation is played; null = silence. */
  waiting: WaitingSound | null;
}

/**
 * What a port is to hear, of ports of the same session. It may change at any time, and does so within 50 ms, without a
 * click and without anything that was said before.
 */
export type Hearing = HearingOf<MediaPort>;

/** The same as a worker is told it: legs have numbers. */
export type LegHearing = HearingOf<number>;
