import type { Clock } from '../clock.ts';
import type { KeyPress } from '../dtmf.ts';
import { listenerOf, type Role, roles, rolesOf, type SessionMode } from '../roles.ts';
import { ChunkWatch } from './chunk-watch.ts';
import type { Dialect, LegState, PipelineMessage, SpeechChunk } from './dialect.ts';
import { OutputDecoder } from './output-decoder.ts';
import type { LegAudio, LinkStats } from './pipeline-link.ts';
import { Playout } from './playout.ts';
import { Speech } from './speech.ts';

/** Speech that waits leaves about so many times as fast as it was said: soon, and not as a flood. */
const CATCH_UP_SPEED = 10;
const CATCH_UP_MS = 10;
/** A leg is looked at so often at least, whatever comes; and when something waits to be played. */
const MAX_REST_MS = 50;
const BUSY_REST_MS = 20;

type AudioMessage = Extract<PipelineMessage, { type: 'audio' }>;
type MarkMessage = Extract<PipelineMessage, { type: 'mark' }>;

/** A way to the pipeline, as far as audio needs it. */
export interface AudioChannel {
  /** Whose speech goes this way. */
  readonly speakers: readonly Role[];
  readonly isUp: boolean;
  readonly bufferedBytes: number;
  /** @returns bytes sent */
  sendSpeech(speaker: Role, chunk: SpeechChunk): number;
  tellLegChange(role: Role, state: LegState): void;
  tellKeyPress(speaker: Role, press: KeyPress): void;
  tellMark(name: string, played: boolean): void;
}

interface Speaker {
  readonly role: Role;
  /** Numbers of a speaker go on when the party calls again. */
  readonly speech: Speech;
  readonly channel: AudioChannel;
}

interface Leg {
  readonly role: Role;
  readonly audio: LegAudio;
  readonly speaker: Speaker;
  readonly playout: Playout;
  held: boolean;
  readonly watch: ChunkWatch;
  /** Where its marks came from, and its answers go. */
  marks: AudioChannel | undefined;
  /** What became of marks while nobody could be told; no more than a playout takes. */
  untold: { name: string; played: boolean }[];
}

export interface LinkAudioOptions {
  mode: SessionMode;
  dialect: Pick<Dialect, 'chunkMs' | 'input' | 'replay'>;
  clock: Clock;
  channels: readonly AudioChannel[];
  counters: LinkStats;
}

/**
 * The audio of one link: from the rings of its legs into messages, and from messages into the playout of the role
 * that is to hear it. Outlives connections: without one, speech is kept until there is one again.
 */
export class LinkAudio {
  readonly #mode: SessionMode;
  readonly #isOneLeg: boolean;
  readonly #chunkMs: number;
  readonly #counters: LinkStats;
  readonly #speakers: readonly Speaker[];
  /** By listener, as each hears one stream: its resampler goes on from message to message. */
  readonly #decoders: Record<Role, OutputDecoder> = {
    customer: new OutputDecoder(),
    agent: new OutputDecoder(),
  };
  #legs: Leg[] = [];
  #lastTick = 0;
  /** What a second of one speaker's speech comes to, in messages. */
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  constructor({ mode, dialect, clock, channels, counters }: LinkAudioOptions) {
    this.#mode = mode;
    this.#isOneLeg = rolesOf(mode).length === 1;
    this.#chunkMs = dialect.chunkMs;
    this.#counters = counters;
    this.#speakers = channels.flatMap((channel) =>
      channel.speakers.map((role) => ({
        role,
        channel,
        speech: new Speech(dialect, clock, counters),
      })),
    );
  }

  /** ms of audio waiting to be played, over all legs. */
  get queuedMs(): number {
    return this.#legs.reduce((sum, leg) => sum + leg.playout.queuedMs, 0);
  }

  /** A channel is up: speech goes there from now on. @returns ms of speech that is sent again */
  connected(channel: AudioChannel): number {
    for (const leg of this.#legs) {
      if (leg.speaker.channel === channel) {
        channel.tellLegChange(leg.role, 'joined');
        if (leg.held) channel.tellLegChange(leg.role, 'held');
      }
      if (leg.marks !== channel) continue;
      for (const { name, played } of leg.untold.splice(0)) channel.tellMark(name, played);
    }
    let resentMs = 0;
    for (const speaker of this.#speakersOf(channel)) {
      resentMs += speaker.speech.connected();
      // At once, so that what is due in the next tick finds room.
      this.#send(speaker, 1);
    }
    return resentMs;
  }

  disconnected(channel: AudioChannel): void {
    for (const { speech } of this.#speakersOf(channel)) speech.disconnected();
  }

  /** A ping leaves: its answer confirms what was sent before it. */
  pinged(channel: AudioChannel): void {
    for (const { speech } of this.#speakersOf(channel)) speech.ask();
  }

  answered(channel: AudioChannel): void {
    for (const { speech } of this.#speakersOf(channel)) speech.confirm();
  }

  attach(role: Role, audio: LegAudio): void {
    this.detach(role);
    const speaker = this.#speakers.find((one) => one.role === role);
    if (speaker === undefined) return;
    const playout = new Playout(audio.outbound, this.#counters);
    const idle = { watch: new ChunkWatch(), held: false, marks: undefined, untold: [] };
    this.#legs.push({ role, audio, speaker, playout, ...idle });
    speaker.channel.tellLegChange(role, 'joined');
  }

  detach(role: Role): void {
    const leg = this.#leg(role);
    if (leg === undefined) return;
    this.#legs = this.#legs.filter((other) => other !== leg);
    this.#clear(leg);
    leg.speaker.channel.tellLegChange(role, 'left');
  }

  startPlaying(role: Role): void {
    this.#leg(role)?.playout.catchUp();
  }

  setHeld(role: Role, held: boolean): void {
    const leg = this.#leg(role);
    if (leg === undefined || leg.held === held) return;
    leg.held = held;
    if (held) this.#clear(leg);
    // What was said on hold stays there.
    else leg.speaker.speech.skip(leg.audio.inbound);
    leg.speaker.channel.tellLegChange(role, held ? 'held' : 'resumed');
  }

  /** Extension `dtmf`; on hold nothing of a party goes to the pipeline. */
  keyPressed(role: Role, press: KeyPress): void {
    const leg = this.#leg(role);
    if (leg?.held === false) leg.speaker.channel.tellKeyPress(role, press);
  }

  /**
   * Moves what is there, both ways.
   * @param now monotonic, ms @returns ms in which there will be nothing to move, as far as can be told
   */
  tick(now: number): number {
    let restMs = MAX_REST_MS;
    for (const leg of this.#legs) {
      if (leg.held) {
        leg.speaker.speech.skip(leg.audio.inbound);
        continue;
      }
      restMs = Math.min(restMs, this.#listen(leg, now));
      if (!leg.playout.isBusy) continue;
      leg.playout.feed();
      this.#answerMarks(leg, leg.playout.takePlayedMarks(), true);
      restMs = Math.min(restMs, BUSY_REST_MS);
    }
    const most = Math.max(1, Math.ceil(((now - this.#lastTick) * CATCH_UP_SPEED) / this.#chunkMs));
    this.#lastTick = now;
    for (const speaker of this.#speakers) {
      if (!speaker.speech.hasUnsent) continue;
      this.#send(speaker, most);
      if (speaker.speech.hasUnsent) restMs = Math.min(restMs, CATCH_UP_MS);
    }
    return restMs;
  }

  /** Takes what a party has said. @returns ms for which it will have said nothing that makes a chunk */
  #listen({ speaker: { speech }, audio, watch }: Leg, now: number): number {
    const before = speech.newest;
    const missingMs = speech.take(audio.inbound);
    return watch.looked(now, missingMs, speech.newest !== before);
  }

  /** Sends all that waits: it is the last that is said. */
  flush(): void {
    for (const speaker of this.#speakers) this.#send(speaker, Number.POSITIVE_INFINITY);
  }

  /** Queues translated speech. @param cameAt monotonic ms @returns what is wrong with the message, if anything */
  play(message: AudioMessage, cameAt: number): string | undefined {
    const listener = this.#listener(message.speaker);
    if (listener === undefined) return `unknown speaker ${message.speaker}`;
    const audio = this.#decoders[listener].decode(message);
    if (audio === undefined) return `payload is not base64 of ${message.encoding}`;
    const leg = this.#leg(listener);
    // On hold a party hears nothing, and one that is not here may be on the session's stream instead.
    if (leg === undefined || leg.held) return undefined;
    const { outbound } = leg.audio;
    leg.playout.push(audio);
    leg.playout.feed();
    outbound.latency.note(outbound.written, cameAt);
    return undefined;
  }

  /** Drops what is queued for all parties: it would be heard too late. */
  clearAll(): void {
    for (const leg of this.#legs) this.#clear(leg);
  }

  /** Extension `audio.clear`. @returns what is wrong with it, if anything */
  clear(speaker: string | undefined): string | undefined {
    const listener = this.#listener(speaker);
    if (listener === undefined) return `unknown speaker ${speaker}`;
    const leg = this.#leg(listener);
    if (leg !== undefined) this.#clear(leg);
    return undefined;
  }

  /**
   * Extension `audio.mark`: answered when all before it has been heard.
   * @param from where it came from. @returns what is wrong with it, if anything
   */
  mark({ name, speaker }: MarkMessage, from: AudioChannel): string | undefined {
    const listener = this.#listener(speaker);
    if (listener === undefined) return `unknown speaker ${speaker}`;
    const leg = this.#leg(listener);
    if (leg === undefined || leg.held) from.tellMark(name, false);
    else if (!leg.playout.mark(name)) return 'too many marks';
    else leg.marks = from;
    return undefined;
  }

  #send({ role, speech, channel }: Speaker, most: number): void {
    if (!channel.isUp) return;
    for (let left = most; left > 0; left--) {
      // The pipeline reads too slowly: what waits here can still be dropped when it becomes too much.
      const { bufferedBytes } = channel;
      if (
        bufferedBytes > this.#bytesPerSecond &&
        bufferedBytes > this.#bytesPerSecond * this.#partiesOf(channel)
      )
        return;
      const chunk = speech.next();
      if (chunk === undefined) return;
      const bytes = channel.sendSpeech(role, chunk);
      this.#bytesPerSecond = (bytes * 1000) / this.#chunkMs;
      this.#counters.chunksSent++;
      this.#counters.bytesSent += bytes;
    }
  }

  #partiesOf(channel: AudioChannel): number {
    return this.#legs.filter((leg) => leg.speaker.channel === channel).length;
  }

  #clear(leg: Leg): void {
    this.#answerMarks(leg, leg.playout.takePlayedMarks(), true);
    this.#answerMarks(leg, leg.playout.clear(), false);
  }

  #answerMarks({ marks, untold }: Leg, names: readonly string[], played: boolean): void {
    for (const name of names) {
      if (marks?.isUp) marks.tellMark(name, played);
      else untold.push({ name, played });
    }
  }

  #speakersOf(channel: AudioChannel): Speaker[] {
    return this.#speakers.filter((speaker) => speaker.channel === channel);
  }

  #leg(role: Role): Leg | undefined {
    return this.#legs.find((leg) => leg.role === role);
  }

  /** Who is to hear a speaker; with one party only there is nothing to choose. */
  #listener(speaker: string | undefined): Role | undefined {
    if (this.#isOneLeg) return 'customer';
    const role = roles.find((known) => known === speaker);
    return role && listenerOf(this.#mode, role);
  }
}
