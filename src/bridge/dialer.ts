import type { CodecName } from '../config/codecs.ts';
import type { SrtpPolicy } from '../srtp.ts';
import type { DigitRun } from './digit-player.ts';
import type { Leg } from './leg.ts';

/** A call that is allowed and ready to be placed. */
export interface OutboundCall {
  /** Request-URI. */
  uri: string;
  /** The same without how it is reached, for `To`. */
  to: string;
  /** Who calls; its URI is the leg's `from`. */
  from: { uri: string; name: string | null };
  /** The peer is the organization's trunk, which is told who calls in `P-Asserted-Identity` as well. */
  assertsCaller: boolean;
  credentials: { username: string; password: string } | null;
  /** `X-` headers. */
  headers: Readonly<Record<string, string>>;
  /** Of the media that is offered. */
  family: 4 | 6;
  /** Of the organization; `required` needs TLS. */
  srtp: SrtpPolicy;
  /** How long the callee has to answer. */
  ringSeconds: number;
  /** null = the gateway's. */
  mediaTimeoutSeconds: number | null;
  /** Keys that are pressed when it is answered; null = none. */
  keys: DigitRun | null;
  /** What is offered, the most wanted first; null = every codec. */
  codecs: readonly CodecName[] | null;
}

/** An INVITE of ours that is on its way; implemented by `sip/`. */
export interface PlacedCall {
  /** Takes it back. Resolves when the INVITE has its final answer, or when that is given up; never rejects. */
  cancel(): Promise<void>;
}

/** Places calls; implemented by `sip/`. */
export interface Dialer {
  /** Whether there is an engine to place them with. */
  readonly canDial: boolean;
  /** Resolves when the leg is up or has ended; never rejects. */
  place(leg: Leg, call: OutboundCall): Promise<void>;
}
