import { MAX_PACKET_SAMPLES, toSample } from '../audio/format.ts';
import { DirectVoice } from './direct-voice.ts';
import { Ducking } from './ducking.ts';
import { FadedSound } from './faded-sound.ts';
import { GainRamp, gainOf } from './gain-ramp.ts';
import type { HearingOf } from './hearing.ts';
import type { OutboundAudio } from './outbound-audio.ts';
import type { StatsBlock } from './stats-block.ts';
import type { Voice } from './voice.ts';
import { isSameSound, WaitingPlayer, type WaitingSound } from './waiting-sound.ts';

/** Working space of all legs of a thread. */
const mix = new Float64Array(MAX_PACKET_SAMPLES);
const translated = new Int16Array(MAX_PACKET_SAMPLES);

/**
 * What one leg hears, mixed of the translation, the other party's own voice and the waiting sound; of any kind of leg,
 * for it knows no packets. It saturates and never wraps, and where one thing alone is heard as it is, samples pass as
 * they are. A pure core. Lengths are samples of the outbound ring's rate.
 */
export class Mixer {
  readonly #outbound: OutboundAudio;
  readonly #stats: StatsBlock;
  readonly #translation: GainRamp;
  readonly #original: FadedSound;
  readonly #waiting: FadedSound;
  readonly #ducking: Ducking;
  #hearsTranslation = true;
  #voice: Voice | undefined;
  #gain = 1;
  #duckedGain = 1;
  #waitingSound: WaitingSound | null = null;
  #isSilent = true;

  constructor(outbound: OutboundAudio, stats: StatsBlock) {
    this.#stats = stats;
    const rateHz = outbound.format.sampleRateHz;
    this.#outbound = outbound;
    this.#translation = new GainRamp(rateHz, 1);
    this.#original = new FadedSound(rateHz);
    this.#waiting = new FadedSound(rateHz);
    this.#ducking = new Ducking(rateHz);
  }

  /** The translation alone is heard, as it is: there is nothing to mix. */
  get isIdle(): boolean {
    return this.#translation.isAt(1) && this.#original.isNone && this.#waiting.isNone;
  }

  /** Nothing of the outbound ring is heard. */
  get isDeaf(): boolean {
    return this.#translation.isAt(0);
  }

  /** What was read last is silence. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  hear({ translation, original, waiting }: HearingOf<Voice>): void {
    this.#hearsTranslation = translation;
    this.#translation.to(translation ? 1 : 0);
    this.#hearOriginal(original);
    this.#hearWaiting(waiting);
  }

  /**
   * Writes the next `length` samples, at most 20 ms, to the beginning of `into`.
   * @param playing whether the outbound ring is read
   * @returns how many of them came from there
   */
  read(into: Int16Array, length: number, playing: boolean): number {
    mix.fill(0, 0, length);
    const played = playing ? this.#outbound.read(translated, length) : 0;
    this.#ducking.observe(translated, played, length);
    translated.fill(0, played, length);
    // It comes up with the first that is played, which may be in the middle of a word.
    this.#translation.addTo(mix, translated, this.#hearsTranslation ? played : length);
    if (this.#voice?.ended) this.#hearOriginal(null);
    const ducked = this.#ducking.isDucked;
    const isAlone = this.#voice === undefined && !ducked;
    const original = this.#original.addTo(mix, length, ducked ? this.#duckedGain : this.#gain);
    const waiting = this.#waiting.addTo(mix, length, isAlone ? 1 : 0);
    this.#isSilent = played === 0 && !original && !waiting;
    for (let i = 0; i < length; i++) {
      into[i] = toSample(mix[i] as number);
    }
    return played;
  }

  /** Nobody is to hear what has come. */
  skip(): void {
    this.#original.skip();
    this.#waiting.skip();
  }

  /** Idempotent. */
  close(): void {
    this.#original.stop();
    this.#waiting.stop();
  }

  #hearOriginal(original: HearingOf<Voice>['original']): void {
    if (original) {
      this.#gain = gainOf(original.gainDb);
      this.#duckedGain = gainOf(original.duckedDb ?? original.gainDb);
    }
    const voice = original?.from;
    if (voice === this.#voice) return;
    this.#voice = voice;
    const { sampleRateHz } = this.#outbound.format;
    this.#original.play(voice && new DirectVoice(voice, sampleRateHz, this.#stats));
  }

  #hearWaiting(sound: WaitingSound | null): void {
    if (isSameSound(sound, this.#waitingSound)) return;
    this.#waitingSound = sound;
    const sounds = sound !== null && sound.kind !== 'silence';
    this.#waiting.play(sounds ? new WaitingPlayer(sound, this.#outbound.format.sampleRateHz) : undefined);
  }
}
