import type { SelfTestKind } from '../config/self-test.ts';
import type { EndReason } from '../errors.ts';
import type { TestId } from '../ids.ts';
import type { MediaSettings, MediaStats } from '../media/media-port.ts';

/** Host as it was written, in lower case, and port, the usual one where none was. */
export interface HostPort {
  host: string;
  port: number;
}

/** As it is written: an IPv6 address in brackets, whether or not it came in them. */
export const shown = (host: string, port: number): string =>
  host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;

/** What the INVITE of a self-test tells. */
export interface InviteSeen {
  callId: string;
  from: string;
  userAgent: string | null;
  transport: string;
  /** Who called, as admission determined it. */
  sourceAddress: string;
  /** null: it came through a proxy that we trust, and what that wrote says nothing of the caller. */
  sourcePort: number | null;
  /** Sent-by of the topmost Via, and what the Contact names; null where they could not be read. */
  via: HostPort | null;
  contact: HostPort | null;
  /** There are proxies that stay in the way (Record-Route): they know how to reach the caller. */
  routed: boolean;
  /** `Session-Expires` as we answered it; null: the caller knows no session timers. */
  sessionExpires: string | null;
  identifiedBy: 'address' | 'password' | 'certificate';
}

/** What was agreed for the media; `codec` is as it was last. */
export interface MediaSeen
  extends Pick<MediaSettings, 'codec' | 'remoteAddress' | 'remotePort' | 'ptimeMs' | 'telephoneEvents'> {
  srtp: string | null;
}

/** All that is known of a self-test's call, from which its report is made. Times are wall clock in ms. */
export interface CallSeen {
  id: TestId;
  organizationId: string;
  kind: SelfTestKind;
  invite: InviteSeen;
  startedAt: number;
  answeredAt: number | null;
  endedAt: number | null;
  acknowledged: boolean;
  reason: EndReason | null;
  /** The caller has hung up. */
  byPeer: boolean;
  /** How often it put the call on hold, and took it back. */
  holds: number;
  resumes: number;
  /** Key presses by how they came. */
  keys: { rtp: number; info: number };
  /** Where we receive audio: `192.0.2.1:20000`; null before it was taken. */
  ownMedia: string | null;
  media: MediaSeen | null;
  stats: MediaStats | undefined;
}
