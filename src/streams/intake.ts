import type { Clock } from '../clock.ts';
import { MessageBudget } from './message-budget.ts';
import type { StreamCounts } from './stream-counts.ts';
import { invalid, readFrame, type StreamMessage } from './stream-message.ts';

/** The messages of one client, as far as it may send them, counted. */
export class Intake {
  readonly #read: (message: Readonly<Record<string, unknown>>) => StreamMessage;
  readonly #counts: StreamCounts;
  readonly #clock: Clock;
  readonly #budget: MessageBudget;

  constructor(
    read: (message: Readonly<Record<string, unknown>>) => StreamMessage,
    counts: StreamCounts,
    clock: Clock,
  ) {
    this.#read = read;
    this.#counts = counts;
    this.#clock = clock;
    this.#budget = new MessageBudget(clock.monotonic());
  }

  /** @returns undefined when the client sends too much */
  take(frame: Buffer, isBinary: boolean): StreamMessage | undefined {
    if (!this.#budget.take(frame.length, this.#clock.monotonic())) return undefined;
    const message: StreamMessage = isBinary ? { type: 'unknown' } : this.#readText(frame);
    this.#counts.messages[message.type]++;
    return message;
  }

  #readText(frame: Buffer): StreamMessage {
    const json = readFrame(frame);
    return json === undefined ? invalid('not a JSON object') : this.#read(json);
  }
}
