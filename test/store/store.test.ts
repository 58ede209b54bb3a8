import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sharedSecret } from '../../src/store/secrets.ts';
import { openStore, type Store } from '../../src/store/store.ts';

describe('the store', () => {
  let folder: string;
  let store: Store;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'store-'));
    store = await openStore(`sqlite:${join(folder, 'deep', 'test.db')}`, 1000);
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  const add = (name: string) =>
    store.write(async (transaction) => {
      await transaction.insertInto('secrets').values({ name, value: 'x' }).execute();
      return name;
    });
  const names = async (from: Store) =>
    (await from.db.selectFrom('secrets').select('name').execute()).map((row) => row.name);

  test('commits changes that come together, and a change that fails is undone alone', async () => {
    const outcomes = await Promise.allSettled([add('a'), add('b'), add('a'), add('c')]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect((await names(store)).sort()).toEqual(['a', 'b', 'c']);
  });

  test('a change that throws halfway leaves nothing of itself', async () => {
    const half = store.write(async (transaction) => {
      await transaction.insertInto('secrets').values({ name: 'half', value: 'x' }).execute();
      throw new Error('stop here');
    });
    await expect(half).rejects.toThrow('stop here');
    expect(await names(store)).toEqual([]);
  });

  test('what a promise has confirmed is on disk: another connection reads it at once', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => add(`n${i}`)));
    const other = await openStore(`sqlite:${join(folder, 'deep', 'test.db')}`, 2000);
    expect(await names(other)).toHaveLength(500);
    await other.close();
  });

  test('closing waits for what was still to be written', async () => {
    const written = add('last');
    await store.close();
    await expect(written).resolves.toBe('last');
    store = await openStore(`sqlite:${join(folder, 'deep', 'test.db')}`, 2000);
    expect(await names(store)).toEqual(['last']);
  });

  test('the schema is made once, however often the store is opened', async () => {
    const other = await openStore(`sqlite:${join(folder, 'deep', 'test.db')}`, 2000);
    const rows = await other.db.selectFrom('migrations').selectAll().execute();
    expect(rows.every((row) => row.applied_at === 1000)).toBe(true);
    await other.close();
  });

  test('a shared secret is made once and stays', async () => {
    const [first, again, other] = await Promise.all([
      sharedSecret(store, 'nonce'),
      sharedSecret(store, 'nonce'),
      sharedSecret(store, 'pipeline'),
    ]);
    expect(first).toHaveLength(43);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});
