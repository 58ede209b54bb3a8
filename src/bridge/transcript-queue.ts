import type { Segment } from '../sessions/transcript.ts';
import type { Batch } from '../sessions/transcripts.ts';

/** Between two writes of a session; what comes meanwhile is written together. */
const WRITE_EVERY_MS = 100;
/** Between two writes with partials; of each speaker the latest is written. */
const PARTIALS_EVERY_MS = 1000;
/** The same while nobody listens to them. */
const UNHEARD_PARTIALS_EVERY_MS = 10_000;
/** Finals of one write, so that a flood keeps the main thread for a few ms only. */
const BATCH_MOST = 20;
/** Finals that wait, while a pipeline floods or the store is lost, and the characters in them. */
const WAITING_MOST = { finals: 500, characters: 200_000 };
/** Speakers whose partials wait. */
const SPEAKERS_MOST = 8;

/**
 * What is to be written of one session's transcript, and when: finals all of them, in order, as far as there is room;
 * partials the latest of each speaker, now and then. Times are monotonic, in ms.
 */
export class TranscriptQueue {
  #finals: Segment[] = [];
  #characters = 0;
  readonly #partials = new Map<string, Segment>();
  /** Finals that had no room, since the last batch was taken. */
  #dropped = 0;
  #writeAt = 0;
  #partialsAt = 0;

  /** @returns whether it has a place; a final that has none is counted */
  add(segment: Segment): boolean {
    if (segment.final) return this.#addFinal(segment);
    const known = this.#partials.has(segment.speaker);
    if (!known && this.#partials.size >= SPEAKERS_MOST) return false;
    this.#partials.set(segment.speaker, segment);
    return true;
  }

  /** When the next batch is to be taken; undefined when nothing waits. */
  dueAt(): number | undefined {
    if (this.#finals.length > 0 || this.#dropped > 0) return this.#writeAt;
    return this.#partials.size > 0 ? Math.max(this.#writeAt, this.#partialsAt) : undefined;
  }

  /** What is to be written now. */
  take(now: number): Batch {
    const finals = this.#finals.splice(0, BATCH_MOST);
    for (const final of finals) this.#characters -= lengthOf(final);
    const partials = now >= this.#partialsAt ? [...this.#partials.values()] : [];
    if (partials.length > 0) this.#partials.clear();
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { finals, partials, dropped };
  }

  /** A batch is written. @param heard whether somebody listens to segments */
  written({ partials }: Batch, heard: boolean, now: number): void {
    this.#writeAt = now + WRITE_EVERY_MS;
    if (partials.length > 0) this.#partialsAt = now + (heard ? PARTIALS_EVERY_MS : UNHEARD_PARTIALS_EVERY_MS);
  }

  /** Nobody will hear what is not final any more. @returns whether something waits that has to be written */
  finish(): boolean {
    this.#partials.clear();
    return this.#finals.length > 0 || this.#dropped > 0;
  }

  #addFinal(segment: Segment): boolean {
    this.#partials.delete(segment.speaker);
    const characters = this.#characters + lengthOf(segment);
    if (this.#finals.length >= WAITING_MOST.finals || characters > WAITING_MOST.characters) {
      this.#dropped++;
      return false;
    }
    this.#finals.push(segment);
    this.#characters = characters;
    return true;
  }
}

const lengthOf = ({ text, translation }: Segment): number => text.length + (translation?.text.length ?? 0);
