import { Ended } from '../bridge/ended.ts';
import type { Leg } from '../bridge/leg.ts';
import type { CallFacts } from '../bridge/leg-carrier.ts';
import { ApiError, type EndReason } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { listenerOf, type Role } from '../roles.ts';
import { clientMessages, readClientMessage, type SpokenWords } from './client-messages.ts';
import { Intake } from './intake.ts';
import type { AdmittedStream } from './stream-admission.ts';
import { asApiError, closeOfEnd, closeOfError, type StreamClose } from './stream-close.ts';
import type { StreamConnection } from './stream-connection.ts';
import { StreamLeg } from './stream-leg.ts';
import type { StreamMessage } from './stream-message.ts';
import type { StreamClient, StreamParts } from './stream-parts.ts';

/** The same complaint is not made more often than this. */
const COMPLAINT_EVERY_MS = 1000;

export interface KallglotClientOptions {
  parts: StreamParts;
  connection: StreamConnection;
  admitted: AdmittedStream;
  facts: CallFacts;
  /** The leg of the role that it has asked for, or that is the only one; then it speaks for no other. */
  leg: Leg | undefined;
}

/**
 * A Kallglot streaming client (contract §7). With a role it is one party from its connect on. Without one it becomes the
 * party, or both, for which it speaks; until then it is told what is said, and heard by nobody.
 */
export class KallglotClient implements StreamClient {
  readonly kind = 'kallglot';
  readonly #options: KallglotClientOptions;
  readonly #intake: Intake;
  readonly #legs = new Map<Role, StreamLeg>();
  /** Roles that were taken from it: it does not get them again. */
  readonly #over = new Set<Role>();
  readonly #complaints = new Map<string, number>();
  readonly #only: Role | undefined;
  #sequence = 0;
  #closed = false;

  constructor(options: KallglotClientOptions) {
    this.#options = options;
    const { counts, clock } = options.parts;
    this.#intake = new Intake(readClientMessage, counts, clock);
    this.#only = options.leg?.role;
  }

  get sessionId(): SessionId {
    return this.#options.admitted.session.id;
  }

  /** The connection is open. */
  async begin(): Promise<void> {
    const { leg } = this.#options;
    if (leg !== undefined && !(await this.#join(leg))) return;
    this.#send(clientMessages.ready(this.sessionId));
  }

  take(frame: Buffer, isBinary = false): void {
    if (this.#closed) return;
    const message = this.#intake.take(frame, isBinary);
    if (message === undefined) this.#close(closeOfError(new ApiError('rate_limit_exceeded')));
    else this.#act(message);
  }

  tick(): void {
    const { connection, admitted } = this.#options;
    for (const leg of this.#legs.values()) {
      if (connection.isBehind) leg.skip();
      else
        for (let heard = leg.hear(); heard; heard = leg.hear()) {
          const speaker = listenerOf(admitted.session.mode, leg.role);
          this.#send(clientMessages.audio(++this.#sequence, speaker, heard));
        }
    }
  }

  words(words: SpokenWords): void {
    this.#send(clientMessages.transcript(this.sessionId, words));
  }

  sessionEnded(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.connection.send(clientMessages.ended(this.sessionId, reason));
    this.#options.connection.close(reason === 'drained' ? 1001 : 1000, reason);
  }

  gone(lost: boolean): void {
    this.#closed = true;
    this.#endLegs(lost ? 'stream_lost' : 'hangup');
  }

  #act(message: StreamMessage): void {
    if (message.type === 'audio') this.#hear(message);
    else if (message.type === 'ping') this.#send(clientMessages.pong(this.sessionId));
    else if (message.type === 'end') void this.#end();
    else if (message.type === 'invalid') this.#complain(message.code, message.problem);
    else if (message.type === 'unknown') this.#complain('invalid_message', 'there is no such type');
  }

  #hear({ speaker, sequence, payload }: Extract<StreamMessage, { type: 'audio' }>): void {
    const role = speaker ?? this.#only;
    const leg = role && (this.#legs.get(role) ?? this.#speakFor(role));
    if (role === undefined) this.#complain('invalid_message', 'speaker must be customer or agent');
    else if (leg?.say(sequence, payload) === false)
      this.#complain('invalid_audio_format', 'audio.payload must be base64');
  }

  /** Speech of a role is the first that is heard of it: the client becomes that party. */
  #speakFor(role: Role): StreamLeg | undefined {
    const { parts, admitted, facts } = this.#options;
    try {
      if (this.#only !== undefined)
        throw new ApiError('role_taken', { message: `This client is the ${this.#only}.` });
      if (this.#over.has(role)) throw new ApiError('role_taken', { message: `The ${role} was hung up.` });
      const leg = parts.reserve(admitted, role, { ...facts, startedAt: parts.clock.now() });
      void this.#join(leg);
    } catch (error) {
      const { code, message } = asApiError(error);
      this.#complain(code, message);
    }
    return this.#legs.get(role);
  }

  /** @returns whether it is in the session */
  async #join(bridgeLeg: Leg): Promise<boolean> {
    const { parts, connection } = this.#options;
    const leg: StreamLeg = new StreamLeg({
      leg: bridgeLeg,
      numbers: 'rising',
      codec: 'PCMU',
      counts: parts.counts,
      // One who is muted, or listens, sends nothing.
      timeoutSeconds: 0,
      silentForMs: () => connection.silentForMs,
      onEnded: (reason) => {
        this.#over.add(leg.role);
        this.#left(leg, closeOfEnd(reason));
      },
    });
    this.#legs.set(leg.role, leg);
    try {
      await leg.start();
      return true;
    } catch (error) {
      leg.release();
      parts.refused(error);
      // Of an end that was before it came, nobody else tells it.
      this.#left(leg, closeOfError(error), error instanceof Ended);
      return false;
    }
  }

  /**
   * A party of its is not in the session any more; the connection goes with the last.
   * @param wasIn where the session itself ends, that is told with its reason
   */
  #left(leg: StreamLeg, why: StreamClose, wasIn = true): void {
    if (this.#legs.get(leg.role) === leg) this.#legs.delete(leg.role);
    if (why.code === 'session_ended' && wasIn) return;
    if (why.code === 'drained') this.sessionEnded('drained');
    else if (this.#legs.size === 0) this.#close(why);
    else this.#complain(why.code, why.message);
  }

  async #end(): Promise<void> {
    try {
      await this.#options.parts.endSession(this.sessionId);
    } catch (error) {
      const { code, message } = asApiError(error);
      this.#complain(code, message);
    }
  }

  /** Tells what is wrong; the connection stays. */
  #complain(code: string, message: string): void {
    const now = this.#options.parts.clock.monotonic();
    const last = this.#complaints.get(code);
    if (last !== undefined && now - last < COMPLAINT_EVERY_MS) return;
    this.#complaints.set(code, now);
    this.#send(clientMessages.error(this.sessionId, code, message));
  }

  #close({ code, message, closeCode }: StreamClose): void {
    if (this.#closed) return;
    this.#closed = true;
    const { connection } = this.#options;
    connection.send(clientMessages.error(this.sessionId, code, message));
    connection.close(closeCode, code);
    this.#endLegs('hangup');
  }

  #endLegs(reason: EndReason): void {
    for (const leg of this.#legs.values()) leg.end(reason);
    this.#legs.clear();
  }

  #send(text: string): void {
    if (!this.#closed) this.#options.connection.send(text);
  }
}
