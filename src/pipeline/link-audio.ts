import type { Clock } from '../clock.ts';
import type { KeyPress } from '../dtmf.ts';
import { listenerOf, type Role, roles, rolesOf, type SessionMode } from '../roles.ts';
import {
  audioInput,
  keyPress,
  type LegState,
  legChange,
  markReached,
  type PipelineMessage,
} from './kallglot-dialect.ts';
import { OutputDecoder } from './output-decoder.ts';
import type { LegAudio, LinkStats } from './pipeline-link.ts';
import { Playout } from './playout.ts';
import { Speech } from './speech.ts';

/** What is not payload in an `audio.input`, roughly. */
const MESSAGE_OVERHEAD_BYTES = 160;
const BYTES_PER_SECOND = 8000;
const PACKET_MS = 20;
/** A leg is looked at so often at least, whatever comes. */
const MAX_REST_MS = 20;

type AudioMessage = Extract<PipelineMessage, { type: 'audio' }>;
type MarkMessage = Extract<PipelineMessage, { type: 'mark' }>;

interface Leg {
  readonly role: Role;
  readonly audio: LegAudio;
  readonly speech: Speech;
  readonly playout: Playout;
  held: boolean;
}

/** The connection, as far as audio needs it. */
export interface AudioSink {
  readonly bufferedBytes: number;
  send(text: string): void;
}

export interface LinkAudioOptions {
  mode: SessionMode;
  chunkMs: number;
  extensions: boolean;
  counters: LinkStats;
  clock: Clock;
}

/**
 * The audio of one link: from the rings of its legs into messages, and from messages into the playout of the role
 * that is to hear it. Outlives a connection: without one, speech stays in the rings.
 */
export class LinkAudio {
  readonly #options: LinkAudioOptions;
  readonly #counters: LinkStats;
  /** Numbers of a speaker go on when the party calls again. */
  readonly #speech: Record<Role, Speech>;
  /** By listener, as each hears one stream: its resampler goes on from message to message. */
  readonly #decoders: Record<Role, OutputDecoder> = {
    customer: new OutputDecoder(),
    agent: new OutputDecoder(),
  };
  readonly #maxBufferedPerLeg: number;
  #legs: Leg[] = [];
  #sink: AudioSink | undefined;

  constructor(options: LinkAudioOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#speech = { customer: new Speech(options.chunkMs), agent: new Speech(options.chunkMs) };
    const overhead = (MESSAGE_OVERHEAD_BYTES * 1000) / options.chunkMs;
    this.#maxBufferedPerLeg = (BYTES_PER_SECOND * 4) / 3 + overhead;
  }

  /** ms of audio waiting to be played, over all legs. */
  get queuedMs(): number {
    return this.#legs.reduce((sum, leg) => sum + leg.playout.queuedMs, 0);
  }

  /** The pipeline is ready: speech goes there from now on. */
  connect(sink: AudioSink): void {
    this.#sink = sink;
    for (const leg of this.#legs) {
      this.#tell(leg.role, 'joined');
      if (leg.held) this.#tell(leg.role, 'held');
    }
  }

  disconnect(): void {
    this.#sink = undefined;
  }

  attach(role: Role, audio: LegAudio): void {
    this.detach(role);
    this.#legs.push({
      role,
      audio,
      speech: this.#speech[role],
      playout: new Playout(audio.outbound, this.#counters),
      held: false,
    });
    this.#tell(role, 'joined');
  }

  detach(role: Role): void {
    const leg = this.#leg(role);
    if (leg === undefined) return;
    this.#legs = this.#legs.filter((other) => other !== leg);
    this.#clear(leg);
    this.#tell(role, 'left');
  }

  startPlaying(role: Role): void {
    this.#leg(role)?.playout.catchUp();
  }

  setHeld(role: Role, held: boolean): void {
    const leg = this.#leg(role);
    if (leg === undefined || leg.held === held) return;
    leg.held = held;
    if (held) this.#clear(leg);
    this.#tell(role, held ? 'held' : 'resumed');
  }

  /** Extension `dtmf`; on hold nothing of a party goes to the pipeline. */
  keyPressed(role: Role, { digit, durationMs }: KeyPress): void {
    if (this.#options.extensions && this.#leg(role)?.held === false)
      this.#sink?.send(keyPress(role, digit, durationMs));
  }

  /**
   * Moves what is there, both ways.
   * @param wallClock ms @returns ms in which there will be nothing to move, as far as can be told
   */
  tick(wallClock: number): number {
    let restMs = MAX_REST_MS;
    for (const leg of this.#legs) {
      if (leg.held) {
        leg.speech.skip(leg.audio.inbound);
        continue;
      }
      this.#sendSpeech(leg, wallClock);
      leg.playout.feed();
      for (const name of leg.playout.takePlayedMarks()) this.#sink?.send(markReached(name, true));
      // The packet that completes a chunk is looked for from the moment on at which it may come.
      restMs = Math.min(restMs, leg.speech.missingMs(leg.audio.inbound) - PACKET_MS);
    }
    return restMs;
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
    if (leg.playout.push(audio) && leg.playout.fill()) outbound.latency.note(outbound.written, cameAt);
    return undefined;
  }

  /** Extension `audio.clear`. @returns what is wrong with it, if anything */
  clear(speaker: string | undefined): string | undefined {
    const listener = this.#listener(speaker);
    if (listener === undefined) return `unknown speaker ${speaker}`;
    const leg = this.#leg(listener);
    if (leg !== undefined) this.#clear(leg);
    return undefined;
  }

  /** Extension `audio.mark`: answered when all before it has been heard. @returns what is wrong with it, if anything */
  mark({ name, speaker }: MarkMessage): string | undefined {
    const listener = this.#listener(speaker);
    if (listener === undefined) return `unknown speaker ${speaker}`;
    const leg = this.#leg(listener);
    if (leg === undefined || leg.held) this.#sink?.send(markReached(name, false));
    else if (!leg.playout.mark(name)) return 'too many marks';
    return undefined;
  }

  #sendSpeech(leg: Leg, wallClock: number): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    const maxBuffered = this.#maxBufferedPerLeg * this.#legs.length;
    for (;;) {
      const chunk = leg.speech.take(leg.audio.inbound, wallClock);
      if (chunk === undefined) return;
      // The pipeline reads too slowly: this is the oldest that can still be dropped.
      if (sink.bufferedBytes > maxBuffered) {
        this.#counters.inputDroppedMs += this.#options.chunkMs;
        continue;
      }
      const text = audioInput(leg.role, chunk);
      sink.send(text);
      const { inbound } = leg.audio;
      inbound.latency.count(inbound.taken, this.#options.clock.monotonic());
      this.#counters.chunksSent++;
      this.#counters.bytesSent += text.length;
    }
  }

  #clear(leg: Leg): void {
    for (const name of leg.playout.clear()) this.#sink?.send(markReached(name, false));
  }

  #tell(role: Role, state: LegState): void {
    if (this.#options.extensions) this.#sink?.send(legChange(role, state));
  }

  #leg(role: Role): Leg | undefined {
    return this.#legs.find((leg) => leg.role === role);
  }

  /** Who is to hear a speaker; with one party only there is nothing to choose. */
  #listener(speaker: string | undefined): Role | undefined {
    const { mode } = this.#options;
    if (rolesOf(mode).length === 1) return 'customer';
    const role = roles.find((known) => known === speaker);
    return role && listenerOf(mode, role);
  }
}
