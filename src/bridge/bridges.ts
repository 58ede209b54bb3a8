import { setTimeout } from 'node:timers/promises';
import { Refusal } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { type Role, rolesOf } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import { Bridge, type BridgeContext } from './bridge.ts';
import { type CallFacts, Leg } from './leg.ts';

/** What a call asks for when it reserves its place (rows 11 and 12). */
export interface Reservation {
  session: Session;
  /** The role that the call names, if it names one. */
  role: Role | undefined;
  facts: CallFacts;
  concurrencyLimit: number;
}

/** A caller who is back replaces its old leg when that has had no RTP for this long (decisions §4). */
const REPLACE_AFTER_MS = 5000;
const DRAIN_MS = 3000;

/** What the bridges are given; they see to the rest themselves. */
export type BridgeParts = Omit<BridgeContext, 'closed' | 'legGone' | 'closing'>;

/** All bridges of this node, and the places in them. */
export class Bridges {
  readonly #context: BridgeContext;
  readonly #bridges = new Map<SessionId, Bridge>();
  readonly #callsByOrganization = new Map<string, number>();
  readonly #closing = new Set<Promise<unknown>>();
  #calls = 0;

  constructor(context: BridgeParts) {
    this.#context = {
      ...context,
      legGone: (leg) => this.#count(leg, -1),
      closing: (work) => this.#track(work),
      closed: (bridge) => {
        if (this.#bridges.get(bridge.session.id) === bridge) this.#bridges.delete(bridge.session.id);
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

  /**
   * Holds a role and a place under the organization's limit, synchronously; undone by the leg's `end` or `release`.
   * @throws Refusal `role_taken`, `concurrency_limit`
   */
  reserve({ session, role: wanted, facts, concurrencyLimit }: Reservation): Leg {
    const bridge = this.#bridges.get(session.id) ?? new Bridge(session, this.#context);
    const caller = `${facts.sourceAddress} ${facts.from}`;
    const role = chooseRole(bridge, wanted, caller);
    const old = bridge.legOf(role);
    const calls = this.#callsByOrganization.get(session.organizationId) ?? 0;
    if (calls - (old ? 1 : 0) >= concurrencyLimit)
      throw new Refusal('concurrency_limit', `limit ${concurrencyLimit}`);
    const leg = new Leg(bridge, role, facts);
    this.#bridges.set(session.id, bridge);
    bridge.take(leg, caller);
    this.#count(leg, 1);
    old?.end('replaced');
    return leg;
  }

  /** The session has ended: its legs get their BYE. */
  endSession(id: SessionId): void {
    this.#bridges.get(id)?.close('session_ended');
  }

  /** The engine is gone: all legs are, and nobody can be told; their sessions wait for them to come back. */
  engineLost(): void {
    for (const bridge of [...this.#bridges.values()])
      for (const leg of bridge.legs()) leg.end('engine_lost', true);
  }

  /** Hangs up everything, and waits until that is done, for 3 s at most. */
  async drain(): Promise<void> {
    for (const bridge of [...this.#bridges.values()]) bridge.close('drained');
    const deadline = new AbortController();
    await Promise.race([
      Promise.all(this.#closing),
      setTimeout(DRAIN_MS, undefined, { signal: deadline.signal }).catch(() => undefined),
    ]);
    deadline.abort();
  }

  #track(work: Promise<unknown> | undefined): void {
    if (work === undefined) return;
    const settled = work
      .catch((error: unknown) => this.#context.log.error({ err: error }, 'a call did not close cleanly'))
      .finally(() => this.#closing.delete(settled));
    this.#closing.add(settled);
  }

  #count(leg: Leg, change: 1 | -1): void {
    const organization = leg.session.organizationId;
    const calls = (this.#callsByOrganization.get(organization) ?? 0) + change;
    if (calls === 0) this.#callsByOrganization.delete(organization);
    else this.#callsByOrganization.set(organization, calls);
    this.#calls += change;
  }
}

/**
 * Which role a call gets: the one it names, else the one that this caller had before, else the first that is free
 * (decisions §2). A caller who is back may take over its own silent leg.
 * @throws Refusal `role_taken`
 */
function chooseRole(bridge: Bridge, wanted: Role | undefined, caller: string): Role {
  const { mode } = bridge.session;
  if (wanted && !rolesOf(mode).includes(wanted))
    throw new Refusal('role_taken', `mode ${mode} has no ${wanted}`);
  const free = bridge.freeRoles();
  const before = bridge.roleOfCaller(caller);
  const role = wanted ?? (before && (free.includes(before) || isSilent(bridge, before)) ? before : free[0]);
  if (role === undefined) throw new Refusal('role_taken', 'both roles are taken');
  const comesBack = before === role && isSilent(bridge, role);
  if (!free.includes(role) && !comesBack) throw new Refusal('role_taken', role);
  return role;
}

function isSilent(bridge: Bridge, role: Role): boolean {
  const leg = bridge.legOf(role);
  return leg?.state === 'up' && leg.silentForMs() >= REPLACE_AFTER_MS;
}
