import { ConnectionTable, type TabledConnection } from '../connection-table.ts';
import type { EngineStats } from './stats.ts';
import type { StreamLimits } from './transport.ts';

/**
 * All TCP and TLS connections of the engine. Those that have not yet brought a whole message are counted apart from those
 * that have: handshakes that never end, and connections that nobody speaks on, take no place of the others.
 */
export class StreamConnections {
  readonly #new: ConnectionTable;
  readonly #proven: ConnectionTable;
  readonly #stats: EngineStats;

  constructor(limits: StreamLimits, stats: EngineStats, isExempt?: (address: string) => boolean) {
    this.#new = new ConnectionTable(limits.maxNewConnections, limits.maxNewConnectionsPerSource, isExempt);
    this.#proven = new ConnectionTable(limits.maxConnections, limits.maxConnectionsPerSource, isExempt);
    this.#stats = stats;
  }

  /** A connection was accepted. @returns whether there is a place for it */
  accepted(connection: TabledConnection): boolean {
    return this.#counted(this.#new.add(connection));
  }

  /** We open a connection. @returns whether there is a place for it */
  opened(connection: TabledConnection): boolean {
    return this.#counted(this.#proven.add(connection));
  }

  /** A whole message or keep-alive came by it. @returns whether there still is a place for it */
  arrived(connection: TabledConnection): boolean {
    if (this.#new.has(connection)) {
      this.#new.delete(connection);
      return this.#counted(this.#proven.add(connection));
    }
    this.#proven.touch(connection);
    return this.#proven.has(connection);
  }

  closed(connection: TabledConnection): void {
    this.#new.delete(connection);
    this.#proven.delete(connection);
    this.#counted(true);
  }

  #counted(placed: boolean): boolean {
    if (!placed) this.#stats.connectionsRefused += 1;
    this.#stats.newConnections = this.#new.size;
    this.#stats.connections = this.#new.size + this.#proven.size;
    return placed;
  }
}
