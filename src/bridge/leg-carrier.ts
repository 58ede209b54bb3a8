import type { EndReason } from '../errors.ts';
import type { StreamCodec } from '../media/media-port.ts';
import type { LegFacts } from '../sessions/leg-view.ts';

/**
 * What a leg needs of what carries it: a SIP dialog (implemented by `sip/`), or a stream over a WebSocket (by `streams/`).
 *
 * How a stream becomes a leg, where a `Refusal` or an `Ended` thrown means that it does not:
 *
 * 1. `leg = bridges.reserve({ session, role, facts, concurrencyLimit })` holds the role and the place, synchronously.
 * 2. `port = await leg.startStream({ codec })` takes a place in a media worker and waits for the pipeline. When it throws,
 *    `leg.release()` gives everything back.
 * 3. `leg.answered(carrier)`: the leg is up, is told of, and ends by `carrier.hangUp`; then `leg.acknowledged()`: the party
 *    hears from here on. Both at once, where the other end hears as soon as it is connected.
 * 4. `port.say(audio)` for every message of the party, `port.heard.read(…)` every 20 ms or so for what it hears,
 *    `leg.keyPressed(…)` for its keys, `leg.hold(…)` where it can hold.
 * 5. `leg.end(reason, true)` when the other end is gone: `hangup` when it says goodbye or closes, `media_timeout` when it
 *    is not heard of any more. Once, whatever comes first; after `hangUp` it does nothing.
 *
 * A leg that is ended before 3 (its session ends, the gateway drains) aborts `leg.signal`, and 2 throws `Ended`.
 */
export interface LegCarrier {
  /**
   * Ends it at the other end: a BYE, or the end of a stream.
   * @param reason why the leg ended
   * @returns resolves when the other end has taken it or that is given up; never rejects
   */
  hangUp(reason: EndReason): Promise<void>;
  /**
   * Tells of a key press otherwise than by media (SIP INFO); absent where there is no way.
   * @returns whether the other end took it; never rejects
   */
  press?(digit: string, durationMs: number): Promise<boolean>;
  /** ms since the other end was heard of in any way, a ping included; absent where audio comes all the time. */
  silentForMs?(): number;
}

/** What is known of a call when it is admitted, or placed; goes into its record. */
export interface CallFacts
  extends Pick<
    LegFacts,
    | 'provider'
    | 'direction'
    | 'callId'
    | 'carrierCallId'
    | 'from'
    | 'to'
    | 'sourceAddress'
    | 'transport'
    | 'headers'
  > {
  /** What the other end calls itself; of a call that we place, once it has answered in any way. */
  userAgent?: string | null;
  /** Wall clock of the INVITE, or of the stream's first request, ms. */
  startedAt: number;
}

/** What has to be known before a leg can take its media, whatever carries it. */
interface SetUpWishes {
  /** Seconds without a sign of the party's media until `media_timeout`, 0 = never; absent = the gateway's setting. */
  timeoutSeconds?: number | null;
  /** Awaited between the port and the pipeline: there an inbound-first call makes its session (decisions §3). */
  onPort?: (() => Promise<void>) | undefined;
  /** Called once when the pipeline is not ready within 200 ms (decisions §3, row 15): time for a 180. */
  onWaiting?: () => void;
}

/** The same with RTP: what offer/answer needs to know. */
export interface MediaWishes extends SetUpWishes {
  family: 4 | 6;
}

/** The same with a stream. A client that sends nothing while nobody speaks wants no timeout. */
export interface StreamWishes extends SetUpWishes {
  codec: StreamCodec;
}
