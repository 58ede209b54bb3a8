import type { Bans } from './bans.ts';
import type { Dialogs } from './dialogs.ts';
import type { Exemptions } from './exemptions.ts';
import type { Load } from './load.ts';
import type { PeerLoads } from './overload-control.ts';
import type { Resolver } from './resolve.ts';
import type { Routes } from './routes.ts';
import type { SessionTimers } from './session-timers.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import type { Transactions } from './transactions.ts';
import { defaultStreamLimits, type Flow, type Hop, type StreamLimits } from './transport.ts';

/** Bounds of everything that grows. */
export interface EngineLimits {
  maxTransactions: number;
  maxTransactionsPerSource: number;
  /** INVITEs without a final answer. */
  maxPendingInvites: number;
  maxPendingInvitesPerSource: number;
  /** Requests that the application has not answered at all, from which on a source may have no more than its share. */
  maxUndecided: number;
  maxDialogs: number;
  maxBans: number;
  /** Messages that wait for their turn, of each kind, and of those the most of one source that is not known. */
  maxQueued: number;
  maxQueuedPerSource: number;
  streams: StreamLimits;
}

export const defaultLimits: EngineLimits = {
  maxTransactions: 100_000,
  maxTransactionsPerSource: 50_000,
  maxPendingInvites: 5_000,
  maxPendingInvitesPerSource: 2_000,
  maxUndecided: 50,
  maxDialogs: 20_000,
  maxBans: 10_000,
  maxQueued: 10_000,
  maxQueuedPerSource: 500,
  streams: defaultStreamLimits,
};

/** What the parts of the engine share. */
export interface EngineContext {
  readonly clock: EngineClock;
  readonly stats: EngineStats;
  readonly limits: EngineLimits;
  readonly transactions: Transactions;
  readonly dialogs: Dialogs;
  readonly routes: Routes;
  readonly bans: Bans;
  readonly exemptions: Exemptions;
  /** Whether a source is exempt, or has a call up: it comes first when there is more to do than time. */
  isKnown(address: string): boolean;
  readonly load: Load;
  readonly peerLoads: PeerLoads;
  readonly sessionTimers: SessionTimers;
  /** Where a URI leads; `flowTo` goes to one of its hops. */
  readonly resolver: Resolver;
  flowTo(hop: Hop, near?: Flow): Flow;
  /** Whether a hop is one of our own sockets. */
  isOwn(hop: Hop): boolean;
}
