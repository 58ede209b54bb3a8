import { Refusal } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { type Role, rolesOf } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import { Bridge, type BridgeContext, partyOf } from './bridge.ts';
import { Leg } from './leg.ts';
import type { CallFacts } from './leg-carrier.ts';

/** What a call asks for when it reserves its place (rows 11 and 12). */
export interface Reservation {
  session: Session;
  /** The role that the call names, if it names one. */
  role: Role | undefined;
  facts: CallFacts;
  concurrencyLimit: number;
}

/** A caller who is back replaces its old leg when that has not been heard of for this long (decisions §4). */
const REPLACE_AFTER_MS = 5000;

/** What the bridges are given; they see to the rest themselves. */
export interface BridgeParts extends Omit<BridgeContext, 'closed' | 'legGone' | 'closing'> {
  /** Calls at once on this node. */
  maxCalls: number;
}

/** All bridges of this node, and the places in them. */
export class Bridges {
  readonly #context: BridgeContext;
  readonly #bridges = new Map<SessionId, Bridge>();
  readonly #callsByOrganization = new Map<string, number>();
  readonly #closing = new Set<Promise<unknown>>();
  /** Legs that have ended, and whose records are not kept yet; the bridge of such a one may be gone. */
  readonly #leaving = new Set<Leg>();
  readonly #maxCalls: number;
  #calls = 0;
  /** `draining`: only sessions that are here get further calls; `over`: nobody does. */
  #state: 'open' | 'draining' | 'over' = 'open';
  readonly #emptied = Promise.withResolvers<void>();

  constructor({ maxCalls, ...context }: BridgeParts) {
    this.#maxCalls = maxCalls;
    this.#context = {
      ...context,
      legGone: (leg, record) => {
        this.#count(leg.session.organizationId, -1);
        if (record !== undefined) this.#leave(leg, record);
      },
      closing: (session, work) => this.#track(session, work),
      closed: (bridge) => {
        if (this.#bridges.get(bridge.session.id) === bridge) this.#bridges.delete(bridge.session.id);
        if (this.#state === 'draining' && this.#bridges.size === 0) this.#emptied.resolve();
      },
    };
  }

  /** Legs that are up or being set up. */
  get calls(): number {
    return this.#calls;
  }

  get size(): number {
    return this.#bridges.size;
  }

  all(): IterableIterator<Bridge> {
    return this.#bridges.values();
  }

  /** Whether the session has legs here, or waits here for one to come back. */
  isLive(id: SessionId): boolean {
    return this.#bridges.has(id);
  }

  /** The legs of a session that are up or being set up here. */
  legsOf(id: SessionId): Leg[] {
    return this.#bridges.get(id)?.legs() ?? [];
  }

  /** Those, and the ones that have ended and whose records are not kept yet. */
  unrecordedLegsOf(id: SessionId): Leg[] {
    return [...this.legsOf(id), ...[...this.#leaving].filter((leg) => leg.session.id === id)];
  }

  /** A leg of this node that is up, is being set up, or has just ended. */
  findLeg(id: string): Leg | undefined {
    for (const bridge of this.#bridges.values()) {
      const leg = bridge.legs().find((one) => one.id === id);
      if (leg !== undefined) return leg;
    }
    return [...this.#leaving].find((leg) => leg.id === id);
  }

  /** Calls of an organization that are up or being set up here. */
  callsOf(organizationId: string): number {
    return this.#callsByOrganization.get(organizationId) ?? 0;
  }

  /**
   * Holds a role and a place under the limits, synchronously; undone by the leg's `end` or `release`.
   * @throws Refusal `role_taken`, `concurrency_limit`, and `draining` and `overloaded` once more, because time has
   *   passed since row 1
   */
  reserve({ session, role: wanted, facts, concurrencyLimit }: Reservation): Leg {
    const live = this.#bridges.get(session.id);
    this.#assertOpen(live !== undefined);
    const bridge = live ?? new Bridge(session, this.#context);
    const role = chooseRole(bridge, wanted, partyOf(facts));
    const old = bridge.legOf(role);
    this.#assertRoom(session.organizationId, concurrencyLimit, old ? 1 : 0);
    const leg = new Leg(bridge, role, facts);
    this.#bridges.set(session.id, bridge);
    bridge.take(leg);
    this.#count(session.organizationId, 1);
    old?.end('replaced');
    return leg;
  }

  /**
   * Holds a place under the limits for a call that has no session.
   * @returns gives it back, idempotent
   * @throws Refusal `draining`, `overloaded`, `concurrency_limit`
   */
  takePlace(organizationId: string, concurrencyLimit: number): () => void {
    this.#assertOpen(false);
    this.#assertRoom(organizationId, concurrencyLimit, 0);
    this.#count(organizationId, 1);
    let held = true;
    return () => {
      if (held) this.#count(organizationId, -1);
      held = false;
    };
  }

  /** @param replaced how many calls end when this one comes */
  #assertRoom(organizationId: string, limit: number, replaced: number): void {
    if (this.#calls - replaced >= this.#maxCalls) throw new Refusal('overloaded');
    if (this.callsOf(organizationId) - replaced >= limit)
      throw new Refusal('concurrency_limit', `limit ${limit}`);
  }

  /** @param live a session that is here: it has its other party come in, which its first is waiting for */
  #assertOpen(live: boolean): void {
    if (this.#state === 'over' || (this.#state === 'draining' && !live)) throw new Refusal('draining');
  }

  /** The session has ended: its legs are told. */
  endSession(id: SessionId): void {
    this.#bridges.get(id)?.close('session_ended');
  }

  /**
   * From now on only sessions that are here get further calls. Resolves when none is left, nor waits for a party to come
   * back; or when `patience` ends.
   */
  async drained(patience: AbortSignal): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining';
    if (this.#bridges.size === 0 || patience.aborted) return;
    const over = new Promise<void>((resolve) => patience.addEventListener('abort', () => resolve()));
    await Promise.race([this.#emptied.promise, over]);
  }

  /** Hangs up everything and takes no call any more. */
  hangUp(): void {
    this.#state = 'over';
    for (const bridge of [...this.#bridges.values()]) bridge.close('drained');
    this.#emptied.resolve();
  }

  /** Resolves when every leg and link that ended has closed, peers told and records kept; at the latest in time. */
  async settled(withinMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs);
    const over = new Promise((resolve) => deadline.addEventListener('abort', resolve));
    while (this.#closing.size > 0 && !deadline.aborted) await Promise.race([over, ...this.#closing]);
  }

  #track(session: SessionId, work: Promise<unknown> | undefined): void {
    if (work === undefined) return;
    const settled = work
      .catch((error: unknown) =>
        this.#context.log.error({ session, err: error }, 'a call did not close cleanly'),
      )
      .finally(() => this.#closing.delete(settled));
    this.#closing.add(settled);
  }

  #leave(leg: Leg, record: Promise<void>): void {
    this.#leaving.add(leg);
    const gone = () => this.#leaving.delete(leg);
    record.then(gone, gone);
  }

  #count(organization: string, change: 1 | -1): void {
    const calls = this.callsOf(organization) + change;
    if (calls === 0) this.#callsByOrganization.delete(organization);
    else this.#callsByOrganization.set(organization, calls);
    this.#calls += change;
  }
}

/**
 * Which role a call gets: the one it names, else the one that this caller had before, else the first that is free
 * (decisions §2). A caller who is back may take over its own silent leg (decisions §4).
 * @throws Refusal `role_taken`
 */
function chooseRole(bridge: Bridge, wanted: Role | undefined, caller: string): Role {
  const roles = rolesOf(bridge.session.mode);
  if (wanted && !roles.includes(wanted)) throw new Refusal('role_taken', `this mode has no ${wanted}`);
  const isFree = (role: Role) => bridge.legOf(role) === undefined;
  const isOwn = (role: Role) => bridge.callerOf(role) === caller;
  const candidates = wanted ? [wanted] : roles;
  const role =
    candidates.find((one) => isOwn(one) && isFree(one)) ??
    candidates.find((one) => isOwn(one) && isAbandoned(bridge.legOf(one))) ??
    candidates.find(isFree);
  if (role === undefined) throw new Refusal('role_taken', wanted ?? 'all roles');
  return role;
}

/** A leg that should be heard of and has not been for a while; one on hold is silent by right. */
const isAbandoned = (leg: Leg | undefined): boolean =>
  leg?.state === 'up' && !leg.held && leg.absentForMs() >= REPLACE_AFTER_MS;
