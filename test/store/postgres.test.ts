import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/errors.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { postgresPrograms, TestPostgres } from '../support/postgres.ts';

describe.skipIf(postgresPrograms() === undefined)('PostgreSQL in particular', () => {
  let server: TestPostgres;
  let store: Store;

  beforeAll(async () => {
    server = await TestPostgres.start();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    store = await openStore(await server.createDatabase(), 1000);
  });
  afterEach(() => store.close());

  test('a connection that is cut inside a change costs that change only', async () => {
    const cut = store.write(async (transaction) => {
      await transaction.insertInto('secrets').values({ name: 'cut', value: 'x' }).execute();
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
      await server.query(`select pg_terminate_backend(${rows[0]?.pid}, 5000)`);
      await transaction.insertInto('secrets').values({ name: 'late', value: 'x' }).execute();
    });
    await expect(cut).rejects.toThrow(StoreUnavailable);
    await store.write((transaction) =>
      transaction.insertInto('secrets').values({ name: 'next', value: 'x' }).execute(),
    );
    expect(await store.db.selectFrom('secrets').select('name').execute()).toEqual([{ name: 'next' }]);
  });

  test('a statement ends after 5 s, a wait for a free connection after 3 s, and both can be tried again', async () => {
    const from = performance.now();
    const sleep = () => sql`select pg_sleep(60)`.execute(store.db);
    const slow = Array.from({ length: 10 }, () => expect(sleep()).rejects.toThrow(StoreUnavailable));
    await expect(sql`select 1`.execute(store.db)).rejects.toThrow(StoreUnavailable);
    const waited = performance.now() - from;
    await Promise.all(slow);
    expect(waited).toBeGreaterThan(2900);
    expect(waited).toBeLessThan(performance.now() - from);
    await sql`select 1`.execute(store.db);
  });

  test('a deadlock is resolved: both changes are made', async () => {
    await store.write((transaction) =>
      transaction
        .insertInto('secrets')
        .values([
          { name: 'a', value: '' },
          { name: 'b', value: '' },
        ])
        .execute(),
    );
    let met = 0;
    const { promise: meeting, resolve: bothHold } = Promise.withResolvers<void>();
    const change = (first: string, second: string) =>
      store.write(async (transaction) => {
        const mark = (name: string) =>
          transaction
            .updateTable('secrets')
            .set({ value: sql`value || ${first}` })
            .where('name', '=', name)
            .execute();
        await mark(first);
        if (++met === 2) bothHold();
        await meeting;
        await mark(second);
      });
    await Promise.all([change('a', 'b'), change('b', 'a')]);
    const rows = await store.db.selectFrom('secrets').select('value').execute();
    expect(rows.map(({ value }) => [...value].sort().join(''))).toEqual(['ab', 'ab']);
  });

  test('U+0000, which its text cannot hold, becomes the sign for what cannot be shown', async () => {
    await store.write((transaction) =>
      transaction.insertInto('secrets').values({ name: 'a\0b', value: 'x' }).execute(),
    );
    expect(await store.db.selectFrom('secrets').select('name').execute()).toEqual([{ name: 'a\ufffdb' }]);
  });

  test('a change that goes on after an error of a query is not taken for made', async () => {
    const careless = store.write(async (transaction) => {
      await transaction.insertInto('secrets').values({ name: 'a', value: 'x' }).execute();
      await sql`select * from nowhere`.execute(transaction).catch(() => undefined);
    });
    await expect(careless).rejects.toThrow();
    expect(await store.db.selectFrom('secrets').selectAll().execute()).toEqual([]);
  });

  test('a server that is not there, or says nothing, is told without the password', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const tell = async (url: string) => {
      const error = await openStore(url, 0).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StoreUnavailable);
      return inspect(error, { depth: 9, showHidden: true });
    };
    const told = await Promise.all([
      tell('postgres://me:hunter2@127.0.0.1:1/db'),
      tell(`postgres://me:hunter2@127.0.0.1:${port}/db`),
      tell(`postgres://gateway:hunter2@127.0.0.1:${server.port}/no_such_database`),
    ]);
    for (const text of told) expect(text).not.toContain('hunter2');
    expect(told[0]).toContain('ECONNREFUSED');
    expect(told[2]).toContain('no_such_database');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
