import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { postgresPrograms, TestPostgres } from '../support/postgres.ts';

/** A database that the store's contract runs on. */
export interface Backend {
  /** @returns the url of an empty database */
  create(): Promise<string>;
  /** Keeps everybody from writing to a database: the server is stopped, or another process holds the file. */
  lose(url: string): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

export interface BackendKind {
  name: 'sqlite' | 'postgres';
  /** It is not installed here. */
  missing: boolean;
  start(): Promise<Backend>;
}

export const backends: readonly BackendKind[] = [
  { name: 'sqlite', missing: false, start: async () => sqliteBackend() },
  { name: 'postgres', missing: postgresPrograms() === undefined, start: postgresBackend },
];

function sqliteBackend(): Backend {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  let files = 0;
  let holder: DatabaseSync | undefined;
  return {
    create: async () => `sqlite:${join(folder, `deep-${++files}`, 'test.db')}`,
    lose: async (url) => {
      holder = new DatabaseSync(url.slice('sqlite:'.length), { timeout: 5000 });
      holder.exec('begin immediate');
    },
    restore: async () => {
      holder?.close();
      holder = undefined;
    },
    close: async () => {
      holder?.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function postgresBackend(): Promise<Backend> {
  const server = await TestPostgres.start();
  return {
    create: () => server.createDatabase(),
    lose: () => server.stop(),
    restore: () => server.resume(),
    close: () => server.close(),
  };
}
