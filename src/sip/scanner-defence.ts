import { normalizeAddress } from '../admission/address.ts';
import { type Ban, type BanCause, type BanSettings, Bans, isScanner, TRUST_MS } from '../admission/bans.ts';
import type { CallerFacts } from '../admission/facts.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Tells sources apart before they cost anything; the embedded engine can, a drachtio-server cannot. */
export interface Silencer {
  ban(address: string, forMs: number): void;
  unban(address: string): void;
  /** For one that is known: the caps of one source do not apply to it, and in a flood it comes first. */
  exempt(address: string, forMs: number): void;
}

export interface ScannerDefenceParts {
  settings: BanSettings;
  /** The engine's, while there is one that can. */
  silencer: () => Silencer | undefined;
  /** Whether a source stands on the allowlist of an organization (null: of any), through an entry that identifies. */
  isListed: (source: string, organizationId: string | null) => boolean;
  isProxy: (source: string) => boolean;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

/**
 * Strikes and bans (decisions §3, "Bans"). A source is known when an organization lists it, has called from it in the last
 * 24 h or is identified by its certificate, or when it is a proxy of ours. Known sources are served during a ban, but it
 * keeps them from guessing: credentials of organizations that do not know them are taken for wrong ones, whatever the
 * password is. All others are met with silence. A ban by hand silences known ones too.
 */
export class ScannerDefence {
  readonly #parts: ScannerDefenceParts;
  readonly #bans: Bans;

  constructor(parts: ScannerDefenceParts) {
    this.#parts = parts;
    this.#bans = new Bans(parts.settings, parts.clock);
  }

  /** Counts a scanner, and tells whether a request is refused because its source is banned. */
  turnsAway(caller: CallerFacts, userAgent: string | undefined): boolean {
    const { source } = caller;
    const scanner = isScanner(userAgent);
    if (!scanner && this.#bans.inForce(source) === undefined) return false;
    const known = this.#isKnown(caller);
    if (scanner && !known) this.#strike(source, 'scanner', known);
    const ban = this.#bans.inForce(source);
    return ban !== undefined && (ban.cause === 'operator' || !known);
  }

  /** Whether the credentials of an organization are looked at when they come from there. */
  mayClaim(organizationId: string, source: string): boolean {
    return this.#bans.inForce(source) === undefined || this.#knows(organizationId, source);
  }

  /** Counts wrong credentials, unless they are those of an organization that knows the source. */
  judge(caller: CallerFacts): void {
    const { source, certificateOrganizations, credentials } = caller;
    const { verdict, countsForBan, claimedOrganization: claimed } = credentials;
    if (verdict !== 'invalid' || !countsForBan) return;
    const byCertificate = claimed !== null && certificateOrganizations.includes(claimed);
    if (byCertificate || (claimed !== null && this.#knows(claimed, source))) return;
    this.#strike(source, 'wrong_credentials', this.#isKnown(caller));
  }

  /** A call or REGISTER of this organization succeeded from there: the source is known for a day. */
  succeeded(source: string, organizationId: string): void {
    this.#bans.succeeded(source, organizationId);
    this.#parts.silencer()?.exempt(source, TRUST_MS);
    this.#hear(this.#bans.inForce(source));
  }

  /** The allowlists have changed: who is known now is heard again. */
  review(): void {
    for (const ban of this.#bans.list()) if (this.#parts.isListed(ban.source, null)) this.#hear(ban);
  }

  /** A new engine has been started: it learns who is known and who is banned. */
  repeat(): void {
    for (const { source, forMs } of this.#bans.trusted()) this.#parts.silencer()?.exempt(source, forMs);
    for (const ban of this.#bans.list()) {
      if (ban.cause === 'operator' || !this.#isKnownAddress(ban.source)) this.#silence(ban);
    }
  }

  list(): Ban[] {
    return this.#bans.list();
  }

  /** Bans by hand. @param address as a person writes it */
  ban(address: string, forMs: number): Ban {
    const ban = this.#bans.ban(normalizeAddress(address) ?? address, 'operator', forMs);
    this.#announce(ban, true);
    return ban;
  }

  /** @returns whether there was a ban */
  lift(address: string): boolean {
    const source = normalizeAddress(address) ?? address;
    const lifted = this.#bans.lift(source);
    this.#parts.silencer()?.unban(source);
    if (lifted) this.#parts.log.info({ source }, 'ban lifted by the operator');
    return lifted;
  }

  #strike(source: string, cause: BanCause, known: boolean): void {
    const ban = this.#bans.strike(source, cause);
    if (ban !== null) this.#announce(ban, !known);
  }

  #announce(ban: Ban, silent: boolean): void {
    const { source, cause, count, until } = ban;
    this.#parts.log.warn(
      { source, cause, count, silent, until: new Date(until).toISOString() },
      'source banned',
    );
    this.#parts.metrics.bans_total.inc();
    if (silent) this.#silence(ban);
  }

  #silence({ source, until }: Ban): void {
    this.#parts.silencer()?.ban(source, until - this.#parts.clock.now());
  }

  #hear(ban: Ban | undefined): void {
    if (ban !== undefined && ban.cause !== 'operator') this.#parts.silencer()?.unban(ban.source);
  }

  #isKnown({ source, certificateOrganizations }: CallerFacts): boolean {
    return certificateOrganizations.length > 0 || this.#isKnownAddress(source);
  }

  #isKnownAddress(source: string): boolean {
    const { isListed, isProxy } = this.#parts;
    return isListed(source, null) || isProxy(source) || this.#bans.isTrusted(source);
  }

  #knows(organizationId: string, source: string): boolean {
    return this.#parts.isListed(source, organizationId) || this.#bans.isTrusted(source, organizationId);
  }
}
