import type { Role } from '../roles.ts';
import type { TranscriptEvent } from './pipeline-link.ts';

/**
 * Makes turns of the fragments in which OpenAI tells what somebody said and how it is translated: it never says where
 * a turn ends. A turn ends when nothing was added to it for as long as 2 s of speech take, when it has become long and its
 * translation is at the end of a sentence, or in any case when it is very long. Pure; time goes by the speech that is sent.
 */
const PAUSE_MS = 2000;
const LONG = 400;
const LONGEST = 2000;
const SENTENCE_END = /[.!?。！？।][)\]"'»”’]*\s*$/;

export class OpenaiTranscript {
  readonly #speaker: Role;
  #text = '';
  #translation = '';
  #quietMs = 0;

  constructor(speaker: Role) {
    this.#speaker = speaker;
  }

  /** A fragment of what is said. @returns the turn so far */
  said(fragment: string): TranscriptEvent {
    this.#text += fragment;
    this.#quietMs = 0;
    return this.#turn(false);
  }

  /** A fragment of its translation. @returns the turn so far */
  translated(fragment: string): TranscriptEvent {
    this.#translation += fragment;
    this.#quietMs = 0;
    return this.#turn(false);
  }

  /** So much speech has been sent, ms, silence included. */
  passed(ms: number): void {
    this.#quietMs += ms;
  }

  /** The turn that is at its end, once. @param over nothing more will come */
  take(over: boolean): TranscriptEvent | undefined {
    if (this.#text === '' && this.#translation === '') return undefined;
    if (!over && !this.#isAtEnd()) return undefined;
    const turn = this.#turn(true);
    this.#text = '';
    this.#translation = '';
    return turn;
  }

  #isAtEnd(): boolean {
    const length = Math.max(this.#text.length, this.#translation.length);
    if (this.#quietMs >= PAUSE_MS || length >= LONGEST) return true;
    return length >= LONG && SENTENCE_END.test(this.#translation);
  }

  #turn(final: boolean): TranscriptEvent {
    const translation = this.#translation.trim();
    return {
      ...{ type: 'transcript', final, id: undefined, speaker: this.#speaker, language: undefined },
      text: this.#text.trim(),
      translation: translation === '' ? undefined : { language: undefined, text: translation },
    };
  }
}
