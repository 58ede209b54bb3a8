import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/errors.ts';
import { forUpdateSkipLocked } from '../../src/store/claims.ts';
import { openStore, type Store } from '../../src/store/store.ts';

describe('SQLite in particular', () => {
  let folder: string;
  let store: Store;
  const file = () => join(folder, 'test.db');

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'store-'));
    store = await openStore(`sqlite:${file()}`, 1000);
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const add = (name: string, value = 'x') =>
    store.write(async (transaction) => {
      await transaction.insertInto('secrets').values({ name, value }).execute();
    });
  const names = async () =>
    (await store.db.selectFrom('secrets').select('name').execute()).map((row) => row.name);

  test('a lock that another process lets go in time delays a change, and reads do not wait for it', async () => {
    const holder = new DatabaseSync(file());
    holder.exec('begin immediate');
    let written = false;
    const writing = add('a').then(() => {
      written = true;
    });
    const from = performance.now();
    while (performance.now() - from < 200) expect(await names()).toEqual([]);
    expect(written).toBe(false);
    holder.close();
    await writing;
    expect(await names()).toEqual(['a']);
  });

  test('a COMMIT that fails refuses its group, and the next one is as good as ever', async () => {
    const orphan = store.write(async (transaction) => {
      await sql`pragma defer_foreign_keys = on`.execute(transaction);
      const key = { id: 'k', organization_id: 'nobody', hash: 'h', environment: 'test' as const };
      await transaction
        .insertInto('api_keys')
        .values({ ...key, managed_by: 'api' })
        .execute();
    });
    const outcomes = await Promise.allSettled([add('a'), orphan]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await add('b');
    expect(await names()).toEqual(['b']);
  });

  test('a full disk refuses what it has no room for, and nothing that was confirmed is missing', async () => {
    await add('before');
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
    await sql.raw(`pragma max_page_count = ${(rows[0]?.page_count ?? 0) + 2}`).execute(store.db);
    const wanted = ['a', 'big', 'c'];
    const outcomes = await Promise.allSettled([add('a'), add('big', 'x'.repeat(100_000)), add('c')]);
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(outcomes[1]?.status).toBe('rejected');
    for (const reason of refused) expect(reason).toBeInstanceOf(StoreUnavailable);
    const confirmed = wanted.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    expect((await names()).sort()).toEqual(['before', ...confirmed].sort());
    await sql`pragma max_page_count = 1000000`.execute(store.db);
    await add('big', 'x'.repeat(100_000));
    expect(await names()).toContain('big');
  });

  test('more changes than can wait are refused at once', async () => {
    const holder = new DatabaseSync(file());
    holder.exec('begin immediate');
    const all = Array.from({ length: 10_500 }, (_, i) => add(`n${i}`));
    const settled = Promise.allSettled(all);
    await expect(Promise.race(all.slice(10_400))).rejects.toThrow('too many changes wait');
    holder.close();
    const written = (await settled).filter(({ status }) => status === 'fulfilled').length;
    expect(await names()).toHaveLength(written);
    expect(written).toBeGreaterThan(9000);
  });

  test('leaves out the row locks that it does not know', () => {
    const { sql: text } = forUpdateSkipLocked(store.db.selectFrom('secrets').selectAll()).compile();
    expect(text.trim()).toBe('select * from "secrets"');
  });
});
