import type { CallFacts } from '../bridge/leg-carrier.ts';
import { ApiError, type EndReason } from '../errors.ts';
import { parseSessionId, type SessionId } from '../ids.ts';
import type { Role } from '../roles.ts';
import { readCarrierMessage } from './carrier-messages.ts';
import { clientMessages } from './client-messages.ts';
import { Intake } from './intake.ts';
import { PlayoutWatch } from './playout-watch.ts';
import { closeOfEnd, closeOfError, type StreamClose } from './stream-close.ts';
import type { StreamConnection } from './stream-connection.ts';
import { BYTES_PER_MS, StreamLeg } from './stream-leg.ts';
import { type CarrierStart, type CarrierWords, invalid, type StreamMessage } from './stream-message.ts';
import type { StreamClient, StreamParts } from './stream-parts.ts';
import { telnyxWords } from './telnyx-messages.ts';
import { twilioWords } from './twilio-messages.ts';

/** How long a client that has shown no token has for its `start`. */
const START_WITHIN_MS = 10_000;
/** A carrier's complaints are logged no more often than this. */
const COMPLAINT_EVERY_MS = 1000;

export interface CarrierClientOptions {
  parts: StreamParts;
  connection: StreamConnection;
  /** As the URL names it. */
  sessionId: SessionId;
  facts: CallFacts;
  /** The token was good: it is a stranger no more. @throws ApiError when there is no room for it */
  onAdmitted: () => void;
}

/**
 * A media stream of Twilio or Telnyx, whose call is one party. Its token comes as a parameter of its `start`; until then it is
 * a stranger who is not heard, and not for long.
 */
export class CarrierClient implements StreamClient {
  readonly #options: CarrierClientOptions;
  readonly #intake: Intake;
  readonly #deadline: NodeJS.Timeout;
  readonly #watch = new PlayoutWatch();
  #start: CarrierStart | undefined;
  #words: CarrierWords = telnyxWords;
  #leg: StreamLeg | undefined;
  #closed = false;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CarrierClientOptions) {
    this.#options = options;
    const { counts, clock } = options.parts;
    this.#intake = new Intake(readMessage, counts, clock);
    this.#deadline = setTimeout(() => this.#refuse(new ApiError('start_missing')), START_WITHIN_MS);
    this.#deadline.unref();
  }

  get kind() {
    return this.#start?.provider ?? 'carrier';
  }

  get sessionId(): SessionId {
    return this.#options.sessionId;
  }

  /** There are too many who have not shown a token yet. */
  crowdedOut(): void {
    this.#refuse(new ApiError('overloaded'));
  }

  take(frame: Buffer, isBinary = false): void {
    if (this.#closed) return;
    const message = this.#intake.take(frame, isBinary);
    if (message === undefined) this.#close(closeOfError(new ApiError('rate_limit_exceeded')));
    else this.#act(message);
  }

  tick(): void {
    const { connection } = this.#options;
    const leg = this.#leg;
    if (leg === undefined) return;
    if (connection.isBehind) {
      leg.skip();
      return;
    }
    // What has piled up on the way would be heard first, and all the rest late.
    if (leg.takeDropped()) this.#clear();
    for (let heard = leg.hear(); heard; heard = leg.hear()) this.#play(heard);
  }

  /** A call has no use for them. */
  words(): void {}

  sessionEnded(reason: string): void {
    this.#close({ code: reason, message: reason, closeCode: reason === 'drained' ? 1001 : 1000 });
  }

  gone(lost: boolean): void {
    this.#over(lost ? 'stream_lost' : 'hangup');
  }

  #play(audio: Buffer): void {
    const { connection, parts } = this.#options;
    connection.send(this.#words.audio(audio));
    const mark = this.#watch.sent(audio.length / BYTES_PER_MS, parts.clock.monotonic());
    if (mark !== undefined) connection.send(this.#words.mark(mark));
  }

  #clear(): void {
    this.#watch.cleared();
    this.#options.connection.send(this.#words.clear());
    this.#options.parts.counts.cleared++;
  }

  #act(message: StreamMessage): void {
    if (message.type === 'audio') this.#hear(message);
    else if (message.type === 'digit') this.#leg?.press(message.digit);
    else if (message.type === 'mark') this.#reached(message.name);
    else if (message.type === 'start') void this.#begin(message.start);
    else if (message.type === 'stop') this.#stop();
    else if (message.type === 'complaint') this.#hearComplaint(message.problem);
    // Without a stream that begins there is nothing to wait for.
    else if (message.type === 'invalid' && this.#start === undefined)
      this.#refuse(new ApiError(message.code, { message: message.problem }));
  }

  #hear({ sequence, payload }: Extract<StreamMessage, { type: 'audio' }>): void {
    if (this.#leg?.say(sequence, payload) === false) this.#options.parts.counts.messages.invalid++;
  }

  /** A stranger's would let anybody write into the log. */
  #hearComplaint(problem: string): void {
    if (this.#leg === undefined) return;
    const now = this.#options.parts.clock.monotonic();
    if (now - this.#complainedAt < COMPLAINT_EVERY_MS) return;
    this.#complainedAt = now;
    this.#warn('a carrier complains', problem);
  }

  #reached(mark: string): void {
    if (this.#watch.reached(mark, this.#options.parts.clock.monotonic())) this.#clear();
  }

  /** The stream is over, and with it the call. */
  #stop(): void {
    this.#over('hangup');
    this.#options.connection.close(1000, 'stop');
  }

  async #begin(start: CarrierStart): Promise<void> {
    if (this.#start !== undefined) return;
    this.#start = start;
    if (start.provider === 'twilio') this.#words = twilioWords(start.streamId);
    const { parts, onAdmitted, sessionId } = this.#options;
    try {
      const names = start.sessionId === undefined ? sessionId : parseSessionId(start.sessionId);
      if (names !== sessionId) throw new ApiError('invalid_token');
      const admitted = await parts.admit(sessionId, start.token ?? '');
      if (this.#closed) return;
      clearTimeout(this.#deadline);
      onAdmitted();
      await this.#join(parts.reserve(admitted, roleOf(start.role), this.#facts(start)));
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #join(bridgeLeg: ReturnType<StreamParts['reserve']>): Promise<void> {
    const { parts, connection } = this.#options;
    const leg = new StreamLeg({
      leg: bridgeLeg,
      numbers: 'gapless',
      codec: this.#start?.codec ?? 'PCMU',
      counts: parts.counts,
      timeoutSeconds: null,
      silentForMs: () => connection.silentForMs,
      onEnded: (reason) => this.#close(closeOfEnd(reason)),
    });
    this.#leg = leg;
    try {
      await leg.start();
    } catch (error) {
      leg.release();
      throw error;
    }
  }

  #facts({ provider, callId, from, to }: CarrierStart): CallFacts {
    return {
      ...this.#options.facts,
      ...{ provider, carrierCallId: callId, from: from ?? '', to: to ?? '' },
      startedAt: this.#options.parts.clock.now(),
    };
  }

  #refuse(error: unknown): void {
    if (this.#closed) return;
    const why = closeOfError(error);
    this.#options.parts.refused(error);
    this.#warn('a stream was refused', `${why.code}: ${why.message}`);
    this.#close(why);
  }

  #close({ code, message, closeCode }: StreamClose): void {
    if (this.#closed) return;
    // A client that is no carrier, and came without its token, is to know.
    if (this.#start === undefined)
      this.#options.connection.send(clientMessages.error(this.sessionId, code, message));
    this.#over('hangup');
    this.#options.connection.close(closeCode, code);
  }

  #over(reason: EndReason): void {
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.#leg?.end(reason);
    this.#leg = undefined;
  }

  #warn(words: string, problem: string): void {
    const { log } = this.#options.parts;
    const { provider, streamId } = this.#start ?? {};
    log.warn({ session: this.sessionId, provider, stream: streamId, problem }, words);
  }
}

/** @throws ApiError `role_invalid` */
export function roleOf(given: string | undefined): Role | undefined {
  if (given === undefined || given === 'customer' || given === 'agent') return given;
  throw new ApiError('role_invalid', { param: 'role' });
}

function readMessage(message: Readonly<Record<string, unknown>>): StreamMessage {
  return 'event' in message
    ? readCarrierMessage(message)
    : invalid('a client other than a carrier shows its token in the URL');
}
