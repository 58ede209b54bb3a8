import { randomBytes } from 'node:crypto';
import { admitInvite, checkRequire, hasValidCredentials, identifyCaller } from '../admission/admit.ts';
import { Allowlist } from '../admission/allowlist.ts';
import { type CalledUri, type OwnHosts, parseCalledUri } from '../admission/called-uri.ts';
import {
  type CallerCertificate,
  isMapped,
  parsePeerCertificate,
  shownCertificate,
} from '../admission/certificate.ts';
import { challenges } from '../admission/challenge.ts';
import { checkCredentials } from '../admission/credentials.ts';
import type { DigestAlgorithm } from '../admission/digest.ts';
import type {
  CallerFacts,
  GatewayState,
  OrganizationFacts,
  Refused,
  RequestFacts,
} from '../admission/facts.ts';
import { Nonces } from '../admission/nonce.ts';
import { originOf } from '../admission/origin.ts';
import { admitRegister } from '../admission/registration.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../config/codecs.ts';
import type { Config } from '../config/config.ts';
import type { SelfTestKind } from '../config/self-test.ts';
import { Refusal } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { localAddresses } from '../local-addresses.ts';
import type { Role } from '../roles.ts';
import type { InviteSeen } from '../self-test/seen.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { Session } from '../sessions/session.ts';
import type { SrtpPolicy } from '../srtp.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { naming, SUPPORTED } from './answers.ts';
import { CERTIFICATE_HEADER, headerList } from './header-values.ts';
import type { InboundFirstCall, NewSession } from './inbound-first.ts';
import { ScannerDefence, type Silencer } from './scanner-defence.ts';
import type { SipRequest } from './srf-port.ts';

/** A trunk as admission reads it; `telephony/` keeps them. */
interface TrunkView {
  organizationId: string;
  active: boolean;
  sipEnabled: boolean;
  credentials: { ha1: Readonly<Record<DigestAlgorithm, string>> } | null;
  allowedIps: readonly string[];
  requireDigest: boolean;
  tlsRequired: boolean;
  /** Fingerprints and names of certificates. */
  tlsCertificates: readonly string[];
  concurrencyLimit: number;
  mediaTimeoutSeconds: number | null;
  codecs: readonly CodecName[] | null;
  inboundFirst: boolean;
  sessionDefaults: SessionDefaults;
  srtp: SrtpPolicy;
}

interface TrunkDirectory {
  /** Rises with every change. */
  readonly version: number;
  all(): Iterable<TrunkView>;
  ofOrganization(id: string): TrunkView | undefined;
  ofUsername(username: string): TrunkView | undefined;
}

export interface AdmissionParts {
  config: Config['sip'];
  realm: string;
  /** Signs nonces; the same on all nodes. */
  nonceKey: string;
  trunks: TrunkDirectory;
  findSession: (id: SessionId) => Promise<Session | undefined>;
  /** The session of an inbound-first call, before it is saved. */
  newSession: (call: InboundFirstCall) => NewSession;
  bridgeLive: (id: SessionId) => boolean;
  /** Why no new call is taken now, if so. */
  unavailable: (but?: 'rtp_ports') => 'draining' | 'overloaded' | undefined;
  /** Where the engine listens: `udp/192.0.2.1:5060`. */
  hostports: () => readonly string[];
  /** The engine, where it can silence a source. */
  silencer: () => Silencer | undefined;
  clock: Clock;
  metrics: Metrics;
  log: Log;
}

export interface AdmittedCall {
  session: Session;
  /** An inbound-first call: its session is not kept yet, and is saved when the call has its port. */
  newSession?: NewSession | undefined;
  /** Absent = the gateway's. */
  mediaTimeoutSeconds?: number | null;
  /** What the call may speak, the most wanted first; null = every codec, in the peer's order. */
  codecs: readonly CodecName[] | null;
  role: Role | undefined;
  concurrencyLimit: number;
  srtp: SrtpPolicy;
  sourceAddress: string;
}

/** A call to a self-test number: it has no session. */
export interface AdmittedTest
  extends Pick<
    AdmittedCall,
    'mediaTimeoutSeconds' | 'codecs' | 'concurrencyLimit' | 'srtp' | 'sourceAddress'
  > {
  selfTest: SelfTestKind;
  organizationId: string;
  identifiedBy: InviteSeen['identifiedBy'];
}

/** A refusal and the headers that only this case has. */
export interface RefusedRequest {
  refusal: Refusal;
  headers: Record<string, string>;
}

/** Gathers the facts that `admission/` judges by, and carries out what it decides: challenges, bans. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #nonces: Nonces;
  /** For the operator too. */
  readonly defence: ScannerDefence;
  readonly #trustedProxies: Allowlist;
  /** As of what the engines have said of where they listen. */
  #ownHosts: OwnHosts & { told: string } = { told: '', domains: [], addresses: [] };
  #organizations: { version: number; facts: OrganizationFacts[] } = { version: -1, facts: [] };

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#nonces = new Nonces({
      key: parts.nonceKey,
      node: randomBytes(6).toString('base64url'),
      clock: parts.clock,
    });
    this.#trustedProxies = new Allowlist(parts.config.trusted_proxies);
    this.defence = new ScannerDefence({
      ...parts,
      settings: parts.config.ban,
      isListed: (source, organizationId) =>
        this.#organizationFacts().some(
          ({ id, allowlist }) =>
            (organizationId === null || id === organizationId) && allowlist.standing(source) === 'identifies',
        ),
      isProxy: (source) => this.#trustedProxies.includes(source),
    });
  }

  /** An OPTIONS: nobody has to be known for it, but scanners count, and the banned hear nothing of us. */
  admitOptions(request: SipRequest): RefusedRequest | undefined {
    const unavailable = this.#parts.unavailable();
    const caller = this.#caller(request);
    if (this.#isBanned(request, caller)) return { refusal: new Refusal('banned'), headers: {} };
    if (unavailable) return { refusal: new Refusal(unavailable), headers: {} };
    const fault = checkRequire(requestFacts(request));
    return fault === null ? undefined : this.#refused(fault, caller);
  }

  /** Rows 1 to 10. A stranger is sent away before any session is looked up. */
  async admitInvite(request: SipRequest): Promise<AdmittedCall | AdmittedTest | RefusedRequest> {
    const caller = this.#caller(request);
    if (this.#isBanned(request, caller)) return { refusal: new Refusal('banned'), headers: {} };
    try {
      return await this.#judgeInvite(request, caller);
    } finally {
      this.defence.judge(caller);
    }
  }

  async #judgeInvite(
    request: SipRequest,
    caller: CallerFacts,
  ): Promise<AdmittedCall | AdmittedTest | RefusedRequest> {
    const uri = parseCalledUri(request.uri, this.#hosts());
    const facts = { gateway: this.#gateway(), request: requestFacts(request), caller };
    const identified = identifyCaller({ ...facts, uri });
    if ('refused' in identified) return this.#refused(identified, caller);
    const session = await this.#calledSession(uri);
    const called = { uri, roleHeader: request.get('X-Kallglot-Role'), session: session ?? null };
    const decision = admitInvite({ ...facts, called });
    if (!decision.admitted) return this.#refusedByName(decision, caller);
    if (caller.credentials.verdict === 'invalid') {
      const call = {
        source: caller.source,
        session: session?.id,
        call_id: request.get('Call-ID'),
        detail: caller.credentials.detail,
      };
      this.#parts.log.info(call, 'wrong credentials from an allowed address were ignored');
    }
    const trunk = this.#parts.trunks.ofOrganization(decision.organizationId);
    if (trunk === undefined) return { refusal: new Refusal('organization_inactive'), headers: {} };
    const { organizationId, selfTest } = decision;
    const settings = {
      concurrencyLimit: trunk.concurrencyLimit,
      mediaTimeoutSeconds: trunk.mediaTimeoutSeconds,
      codecs: trunk.codecs,
      srtp: trunk.srtp,
      sourceAddress: caller.source,
    };
    if (selfTest !== null)
      return { ...settings, selfTest, organizationId, identifiedBy: identifiedBy(caller, organizationId) };
    const newSession =
      session === undefined ? this.#parts.newSession({ trunk, called: uri?.user ?? '' }) : undefined;
    return {
      session: session ?? (newSession as NewSession).session,
      newSession,
      role: decision.role ?? undefined,
      ...settings,
    };
  }

  /** The rows of a REGISTER. */
  admitRegister(request: SipRequest): { organizationId: string; sourceAddress: string } | RefusedRequest {
    const caller = this.#caller(request);
    if (this.#isBanned(request, caller)) return { refusal: new Refusal('banned'), headers: {} };
    const decision = admitRegister(this.#gateway(), requestFacts(request), caller);
    this.defence.judge(caller);
    if (!decision.admitted) return this.#refused(decision, caller);
    return { organizationId: decision.organization.id, sourceAddress: caller.source };
  }

  /** A call or REGISTER of this organization succeeded from this address. */
  succeeded(source: string, organizationId: string): void {
    this.defence.succeeded(source, organizationId);
  }

  /** That RTP ports run short is told at row 14, with its own code. */
  #gateway(): GatewayState {
    const unavailable = this.#parts.unavailable('rtp_ports');
    return {
      draining: unavailable === 'draining',
      overloaded: unavailable === 'overloaded',
      bridgeLive: this.#parts.bridgeLive,
    };
  }

  #caller(request: SipRequest): CallerFacts {
    const { config, realm, trunks } = this.#parts;
    const peer = { address: request.source_address, transport: request.protocol };
    const { address: source, transport } = originOf(peer, request.get('Via') ?? '', this.#trustedProxies);
    const authorization = request.get('Authorization');
    const credentials = checkCredentials(
      { authorization, method: request.method, uri: request.uri, source },
      {
        realm,
        algorithms: config.digest_algorithms,
        nonces: this.#nonces,
        lookup: (username) => {
          const trunk = trunks.ofUsername(username);
          return trunk?.credentials && this.defence.mayClaim(trunk.organizationId, source)
            ? { organizationId: trunk.organizationId, ha1: trunk.credentials.ha1 }
            : undefined;
        },
      },
    );
    const certificate = this.#certificateOf(request);
    const certificateOrganizations = certificate === null ? [] : this.#holdersOf(certificate);
    const isStrange = certificate !== null && certificateOrganizations.length === 0;
    const strangeCertificate = isStrange ? shownCertificate(certificate) : null;
    const organizations = this.#candidates(source, [credentials.organizationId, ...certificateOrganizations]);
    return { source, transport, organizations, credentials, certificateOrganizations, strangeCertificate };
  }

  /** A drachtio-server would pass on what the caller wrote there. */
  #certificateOf(request: SipRequest): CallerCertificate | null {
    const told = this.#parts.config.engine === 'embedded' ? request.get(CERTIFICATE_HEADER) : undefined;
    return parsePeerCertificate(told);
  }

  /** Whose trunks the certificate is mapped to. */
  #holdersOf(certificate: CallerCertificate): string[] {
    const mapped = [...this.#parts.trunks.all()].filter((trunk) =>
      isMapped(trunk.tlsCertificates, certificate),
    );
    return mapped.map(({ organizationId }) => organizationId);
  }

  /** The organizations that a caller can be identified as; one pass over all allowlists a request. */
  #candidates(source: string, known: readonly (string | null)[]): OrganizationFacts[] {
    return this.#organizationFacts().filter(
      ({ id, allowlist }) => known.includes(id) || allowlist.standing(source) === 'identifies',
    );
  }

  /** Behind a drachtio-server, a banned source hears a 403 from us. */
  #isBanned(request: SipRequest, caller: CallerFacts): boolean {
    return this.defence.turnsAway(caller, request.get('User-Agent'));
  }

  #refused(decision: Refused, caller: CallerFacts): RefusedRequest {
    const { source } = caller;
    const headers: Record<string, string> = {};
    if (decision.challenge) headers['WWW-Authenticate'] = this.#challenge(source, decision.challenge.stale);
    if (decision.unsupported) headers.Unsupported = decision.unsupported.join(', ');
    return { refusal: new Refusal(decision.refused, decision.detail), headers };
  }

  /** Who has been identified is told what is missing, also where that is the password. */
  #refusedByName(decision: Refused, caller: CallerFacts): RefusedRequest {
    const { refusal, headers } = this.#refused(decision, caller);
    return { refusal, headers: { ...naming(refusal.code), ...headers } };
  }

  #challenge(source: string, stale: boolean): string {
    const { config, realm } = this.#parts;
    const nonce = this.#nonces.issue(source);
    return challenges(config.digest_algorithms, { realm, nonce, stale }).join(', ');
  }

  async #calledSession(uri: CalledUri | null): Promise<Session | undefined> {
    return uri?.target.kind === 'session' ? this.#parts.findSession(uri.target.sessionId) : undefined;
  }

  #organizationFacts(): OrganizationFacts[] {
    const { trunks } = this.#parts;
    if (this.#organizations.version !== trunks.version) {
      this.#organizations = { version: trunks.version, facts: [...trunks.all()].map(organizationFacts) };
      this.defence.review();
    }
    return this.#organizations.facts;
  }

  /**
   * Domains and addresses under which we are called; listening on all addresses means each of this machine's. Where engines
   * listen is known when they are there, and one that is there again may listen elsewhere.
   */
  #hosts(): OwnHosts {
    const { config, hostports } = this.#parts;
    const where = hostports();
    const told = where.join();
    if (told !== '' && told === this.#ownHosts.told) return this.#ownHosts;
    const listening = where.map((hostport) => hostport.replace(/^\w+\//, '').replace(/:\d+$/, ''));
    const all = listening.some((host) => host === '0.0.0.0' || host === '[::]');
    const addresses = [...listening, ...(all ? localAddresses().map(({ address }) => address) : [])];
    if (config.advertised_address) addresses.push(config.advertised_address);
    this.#ownHosts = { told, domains: config.domains, addresses, selfTests: config.self_test };
    return this.#ownHosts;
  }
}

function identifiedBy(caller: CallerFacts, organizationId: string): InviteSeen['identifiedBy'] {
  if (hasValidCredentials(caller, organizationId)) return 'password';
  return caller.certificateOrganizations.includes(organizationId) ? 'certificate' : 'address';
}

function organizationFacts(trunk: TrunkView): OrganizationFacts {
  return {
    id: trunk.organizationId,
    active: trunk.active,
    sipEnabled: trunk.sipEnabled,
    allowlist: new Allowlist(trunk.allowedIps),
    requireDigest: trunk.requireDigest,
    requireTls: trunk.tlsRequired,
    inboundFirst: trunk.inboundFirst,
  };
}

function requestFacts(request: SipRequest): RequestFacts {
  return {
    require: headerList(request.get('Require')),
    supported: SUPPORTED,
    contentType: request.get('Content-Type'),
    bodyBytes: Buffer.byteLength(request.body ?? ''),
  };
}
