import type { Clock } from '../clock.ts';
import type { SessionId } from '../ids.ts';
import type { TranscriptEvent } from '../pipeline/pipeline-link.ts';
import type { Transcripts } from '../sessions/transcripts.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { PendingChanges } from './pending-changes.ts';
import { TranscriptQueue } from './transcript-queue.ts';

/** What a bridge tells of the words of its session. */
export interface TranscriptSink {
  /** Never throws, and waits for nothing. */
  heard(id: SessionId, event: TranscriptEvent): void;
  /** The bridge is closed, and its link too. @returns resolves, never rejects, when all is kept or given up */
  over(id: SessionId): Promise<void>;
}

export interface TranscriptFeedOptions {
  transcripts: Pick<Transcripts, 'write' | 'complete'>;
  changes: PendingChanges;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'transcript_turns_total'>;
  /** Is told of all that is understood, at once. */
  onWords: WordListener;
}

export type WordListener = (id: SessionId, words: TranscriptEvent) => void;

/** Brings what the pipelines understand into the store; no text of it ever goes to the log. */
export class TranscriptFeed implements TranscriptSink {
  readonly #options: TranscriptFeedOptions;
  readonly #sessions = new Map<SessionId, SessionFeed>();

  constructor(options: TranscriptFeedOptions) {
    this.#options = options;
  }

  heard(id: SessionId, event: TranscriptEvent): void {
    if (event.text.trim() === '') return;
    this.#options.onWords(id, event);
    let feed = this.#sessions.get(id);
    if (feed === undefined) {
      feed = new SessionFeed(id, this.#options);
      this.#sessions.set(id, feed);
    }
    feed.heard(event);
  }

  async over(id: SessionId): Promise<void> {
    const feed = this.#sessions.get(id);
    // What an earlier run has left behind is the caretaker's.
    if (feed === undefined) return;
    this.#sessions.delete(id);
    await feed.finish();
    const { changes, transcripts } = this.#options;
    await changes.keep(id, 'transcript', () => transcripts.complete(id));
  }
}

/** One session's part: one write at a time, and a pause after it. */
class SessionFeed {
  readonly #id: SessionId;
  readonly #options: TranscriptFeedOptions;
  readonly #queue = new TranscriptQueue();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #finished = false;
  #dropped = 0;

  constructor(id: SessionId, options: TranscriptFeedOptions) {
    this.#id = id;
    this.#options = options;
  }

  heard({ type: _type, ...event }: TranscriptEvent): void {
    const kept = this.#queue.add({ ...event, at: this.#options.clock.now() });
    if (!kept && event.final) this.#drop(1);
    this.#schedule();
  }

  async finish(): Promise<void> {
    this.#finished = true;
    clearTimeout(this.#timer);
    await this.#writing;
    while (this.#queue.finish()) await this.#write();
    if (this.#dropped === 0) return;
    const { log } = this.#options;
    log.warn({ session: this.#id, turns: this.#dropped }, 'turns of a transcript were dropped');
  }

  #schedule(): void {
    if (this.#finished || this.#writing !== undefined) return;
    const dueAt = this.#queue.dueAt();
    clearTimeout(this.#timer);
    if (dueAt === undefined) return;
    const start = () => {
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        this.#schedule();
      });
    };
    this.#timer = setTimeout(start, Math.max(0, dueAt - this.#options.clock.monotonic()));
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    const { changes, transcripts, metrics, clock } = this.#options;
    const batch = this.#queue.take(clock.monotonic());
    let told: boolean | undefined;
    await changes.keep(this.#id, 'transcript', async () => {
      const written = await transcripts.write(this.#id, batch);
      metrics.transcript_turns_total.inc({ outcome: 'kept' }, written.kept);
      this.#drop(written.dropped);
      told = written.told;
    });
    if (told === undefined) this.#drop(batch.finals.length);
    this.#queue.written(batch, told ?? false, clock.monotonic());
  }

  #drop(turns: number): void {
    this.#dropped += turns;
    this.#options.metrics.transcript_turns_total.inc({ outcome: 'dropped' }, turns);
  }
}
