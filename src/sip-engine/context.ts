import type { Bans } from './bans.ts';
import type { Dialogs } from './dialogs.ts';
import type { Exemptions } from './exemptions.ts';
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
  maxDialogs: number;
  maxBans: number;
  streams: StreamLimits;
}

export const defaultLimits: EngineLimits = {
  maxTransactions: 100_000,
  maxTransactionsPerSource: 50_000,
  maxPendingInvites: 5_000,
  maxPendingInvitesPerSource: 2_000,
  maxDialogs: 20_000,
  maxBans: 10_000,
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
  readonly sessionTimers: SessionTimers;
  /** Where a URI leads; `flowTo` goes to one of its hops. */
  readonly resolver: Resolver;
  flowTo(hop: Hop, near?: Flow): Flow;
  /** Whether a hop is one of our own sockets. */
  isOwn(hop: Hop): boolean;
}
