import type { Metrics } from '../telemetry/metrics.ts';
import type { StreamMessage } from './stream-message.ts';

type Kind = StreamMessage['type'] | 'repeated';

/** What all streams count, as plain numbers, because messages are many; brought into the metrics at each scrape. */
export class StreamCounts {
  readonly messages: Record<Kind, number> = {
    ...{ audio: 0, start: 0, digit: 0, ping: 0, end: 0, mark: 0, stop: 0, complaint: 0 },
    ...{ ignored: 0, unknown: 0, invalid: 0, repeated: 0 },
  };
  /** ms of what clients were to hear and did not take in time. */
  droppedMs = 0;
  /** How often a carrier was told to drop what waited to be heard. */
  cleared = 0;

  collect({ stream_messages_total, stream_dropped_ms_total, stream_clears_total }: Metrics): void {
    for (const kind of Object.keys(this.messages) as Kind[]) {
      stream_messages_total.inc({ kind }, this.messages[kind]);
      this.messages[kind] = 0;
    }
    stream_dropped_ms_total.inc(this.droppedMs);
    this.droppedMs = 0;
    stream_clears_total.inc(this.cleared);
    this.cleared = 0;
  }
}
