import type { Leg } from '../bridge/leg.ts';
import type { CallFacts } from '../bridge/leg-carrier.ts';
import type { Clock } from '../clock.ts';
import type { SessionId } from '../ids.ts';
import type { Carrier } from '../providers.ts';
import type { Role } from '../roles.ts';
import type { Log } from '../telemetry/log.ts';
import type { SpokenWords } from './client-messages.ts';
import type { AdmittedStream } from './stream-admission.ts';
import type { StreamCounts } from './stream-counts.ts';

/** What the clients of streams need of the rest of the gateway. */
export interface StreamParts {
  /** @throws ApiError, with every reason why a token does not open a session */
  admit: (sessionId: SessionId, token: string) => Promise<AdmittedStream>;
  /** Holds a role, synchronously. @throws Refusal */
  reserve: (admitted: AdmittedStream, role: Role | undefined, facts: CallFacts) => Leg;
  /** Ends a session because its client says so. */
  endSession: (id: SessionId) => Promise<void>;
  /** A client was turned away. @param error what was thrown, as `asApiError` reads it */
  refused: (error: unknown) => void;
  counts: StreamCounts;
  clock: Clock;
  log: Log;
}

/** One client on its WebSocket, as `Streams` knows it. */
export interface StreamClient {
  readonly sessionId: SessionId;
  /** What it is, for the metrics. */
  readonly kind: 'kallglot' | 'carrier' | Carrier;
  /** A message came. */
  take(frame: Buffer, isBinary: boolean): void;
  /** Sends what its parties hear; called every 10 ms. */
  tick(): void;
  /** Somebody of its session was understood. */
  words(words: SpokenWords): void;
  /** Its session is over. @param reason as the session has it, or `drained` */
  sessionEnded(reason: string): void;
  /** Its connection is gone. @param lost without a word */
  gone(lost: boolean): void;
}
