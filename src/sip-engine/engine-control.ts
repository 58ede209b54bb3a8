import type { EngineStats } from './stats.ts';

/** What drachtio's protocol cannot carry (decisions §9): the ban list and the engine's load. */
export interface EngineControl {
  /** Meets a source with silence, outside its calls, for `forMs`. */
  ban(address: string, forMs: number): void;
  unban(address: string): void;
  /** @throws Error when the engine is closed or has died */
  stats(): Promise<EngineStats>;
}

/** Messages of the main thread to the engine worker. */
export type ToEngine =
  | { type: 'ban'; address: string; forMs: number }
  | { type: 'unban'; address: string }
  | { type: 'stats'; id: number }
  | { type: 'close' };

/** Messages of the engine worker. */
export type FromEngine =
  | { type: 'ready'; port: number; secret: string; hostports: string[] }
  | { type: 'failed'; message: string }
  | { type: 'stats'; id: number; stats: EngineStats }
  | { type: 'fault'; stack: string }
  | { type: 'closed' };
