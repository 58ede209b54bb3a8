import type { SelfTestKind } from '../config/self-test.ts';
import type { RefusalCode } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import type { Role } from '../roles.ts';
import type { Allowlist } from './allowlist.ts';
import type { CalledUri } from './called-uri.ts';
import type { CredentialsFacts } from './credentials.ts';

/** What admission judges by, and what it says. `sip/` gathers the facts; nothing here is looked up. */

export interface GatewayState {
  draining: boolean;
  overloaded: boolean;
  /** The session's bridge is live, or within its rejoin time, on this node. */
  bridgeLive: (sessionId: SessionId) => boolean;
}

/** Row 2: the request itself. */
export interface RequestFacts {
  /** Option tags of `Require`. */
  require: readonly string[];
  /** Option tags that are there to be required. */
  supported: readonly string[];
  contentType: string | undefined;
  /** Bytes of the body; 0 = none. */
  bodyBytes: number;
}

export interface OrganizationFacts {
  id: string;
  active: boolean;
  sipEnabled: boolean;
  allowlist: Allowlist;
  requireDigest: boolean;
  requireTls: boolean;
  inboundFirst: boolean;
}

/** Row 3: who calls. */
export interface CallerFacts {
  /** As `originOf` determined it. */
  source: string;
  /** `udp`, `tcp`, `tls`, `ws`, `wss`: what the source spoke. */
  transport: string;
  /** At least all whose allowlist, credentials or certificate match; others do no harm. */
  organizations: readonly OrganizationFacts[];
  credentials: CredentialsFacts;
  /** Those whose trunks the TLS client certificate is mapped to. */
  certificateOrganizations: readonly string[];
  /** A TLS client certificate that is mapped to none, by its names, or its fingerprint. */
  strangeCertificate?: string | null;
}

export interface SessionFacts {
  id: SessionId;
  organizationId: string;
  provider: string;
  status: 'created' | 'active' | 'ended';
}

/** Rows 4, 5 and 10: what for. */
export interface CalledFacts {
  /** null when the Request-URI is none of ours to read. */
  uri: CalledUri | null;
  /** Header `X-Kallglot-Role`. */
  roleHeader: string | undefined;
  /** The session that the URI names, if there is one. */
  session: SessionFacts | null;
}

export interface Refused {
  admitted: false;
  refused: RefusalCode;
  /** With a 401: `stale` as it has to stand in the challenge. */
  challenge?: { stale: boolean };
  /** Option tags for `Unsupported`, with a 420. */
  unsupported?: readonly string[];
  detail?: string;
}

interface Admitted {
  admitted: true;
  organizationId: string;
  /** null for an inbound-first call, whose session is made after row 14, and for a self-test, which has none. */
  session: SessionFacts | null;
  selfTest: SelfTestKind | null;
  /** The role that the caller named. */
  role: Role | null;
}

export type Admission = Admitted | Refused;

export function refused(code: RefusalCode, more: Omit<Refused, 'admitted' | 'refused'> = {}): Refused {
  return { admitted: false, refused: code, ...more };
}

/** A 401: credentials are missing, or came with a nonce that is not good any more. */
export function challenged(credentials: CredentialsFacts, detail?: string): Refused {
  return refused('credentials_required', { challenge: { stale: credentials.verdict === 'stale' }, detail });
}
