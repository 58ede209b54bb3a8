import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/errors.ts';
import { forUpdate, forUpdateSkipLocked } from '../../src/store/claims.ts';
import { sharedSecret } from '../../src/store/secrets.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { eventually } from '../support/gateway.ts';
import { type Backend, backends } from './backends.ts';
import { addDelivery, addEndpoint, addOrganization } from './rows.ts';

describe.each(backends)('the store on $name', ({ name, missing, start }) => {
  describe.skipIf(missing)('keeps its contract', () => {
    let backend: Backend;
    let url: string;
    let store: Store;
    let heard: boolean[];
    const others: Store[] = [];

    beforeAll(async () => {
      backend = await start();
    });
    afterAll(() => backend?.close());
    beforeEach(async () => {
      heard = [];
      url = await backend.create();
      store = await openStore(url, 1000, { onAvailability: (available) => heard.push(available) });
    });
    afterEach(async () => {
      await Promise.all([store, ...others.splice(0)].map((one) => one.close()));
    });

    /** Another node on the same database. */
    const another = async (): Promise<Store> => {
      const other = await openStore(url, 2000);
      others.push(other);
      return other;
    };
    const add = (key: string, to = store) =>
      to.write(async (transaction) => {
        await transaction.insertInto('secrets').values({ name: key, value: 'x' }).execute();
        return key;
      });
    const names = async (from = store) =>
      (await from.db.selectFrom('secrets').select('name').execute()).map((row) => row.name).sort();

    test('commits changes that come together, and a change that fails is undone alone', async () => {
      await add('a');
      const outcomes = await Promise.allSettled([add('b'), add('a'), add('c')]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await names()).toEqual(['a', 'b', 'c']);
    });

    test('a change that throws halfway leaves nothing of itself', async () => {
      const half = store.write(async (transaction) => {
        await transaction.insertInto('secrets').values({ name: 'half', value: 'x' }).execute();
        throw new Error('stop here');
      });
      await expect(half).rejects.toThrow('stop here');
      expect(await names()).toEqual([]);
    });

    test('what a promise has confirmed is there for another node at once', async () => {
      const other = await another();
      await Promise.all(Array.from({ length: 500 }, (_, i) => add(`n${i}`)));
      expect(await names(other)).toHaveLength(500);
    });

    test('closing waits for what was still to be written', async () => {
      const written = add('last');
      await store.close();
      await expect(written).resolves.toBe('last');
      store = await openStore(url, 2000);
      expect(await names()).toEqual(['last']);
    });

    test('of four processes that start at once one makes the schema, and all of them start', async () => {
      const fresh = await backend.create();
      const file = join(import.meta.dirname, '../../src/store/store.ts');
      const program = `const { openStore } = await import(${JSON.stringify(file)});
        const store = await openStore(${JSON.stringify(fresh)}, Date.now());
        await store.write(async () => undefined);
        await store.close();`;
      const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
      await Promise.all([run(), run(), run(), run()]);
      const after = await openStore(fresh, 0);
      others.push(after);
      const rows = await after.db.selectFrom('migrations').selectAll().orderBy('version').execute();
      expect(rows.map((row) => row.version)).toEqual(rows.map((_, index) => index + 1));
      expect(new Set(rows.map((row) => row.applied_at)).size).toBe(1);
      expect(rows[0]?.applied_at).toBeGreaterThan(0);
    });

    test('says which database it is', () => expect(store.dialect).toBe(name));

    test('a shared secret is made once and stays, also where two nodes ask at once', async () => {
      const other = await another();
      const asked = [store, other, store, other].map((node) => sharedSecret(node, 'nonce'));
      const secrets = new Set(await Promise.all(asked));
      expect(secrets.size).toBe(1);
      expect([...secrets][0]).toHaveLength(43);
      expect(await sharedSecret(store, 'pipeline')).not.toBe([...secrets][0]);
    });

    test('times, counts and sums are numbers', async () => {
      await addOrganization(store);
      await addEndpoint(store);
      const sequences = [await addDelivery(store), await addDelivery(store), await addDelivery(store)];
      expect(sequences.every(Number.isInteger)).toBe(true);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
      const row = await store.db
        .selectFrom('deliveries')
        .select(({ fn }) => [
          fn.countAll<number>().as('count'),
          fn.sum<number>('due_at').as('sum'),
          fn.max('due_at').as('latest'),
        ])
        .executeTakeFirstOrThrow();
      expect(row).toEqual({ count: 3, sum: 5_400_000_000_000, latest: 1_800_000_000_000 });
    });

    test('tells how many rows a change has touched', async () => {
      await Promise.all([add('a'), add('b')]);
      const touched = await store.write(async (transaction) => {
        const updated = await transaction
          .updateTable('secrets')
          .set({ value: 'y' })
          .executeTakeFirstOrThrow();
        const none = await transaction
          .updateTable('secrets')
          .set({ value: 'z' })
          .where('name', '=', 'nobody')
          .executeTakeFirstOrThrow();
        const deleted = await transaction
          .deleteFrom('secrets')
          .where('name', '=', 'a')
          .executeTakeFirstOrThrow();
        const kept = await transaction
          .insertInto('secrets')
          .values({ name: 'b', value: 'w' })
          .onConflict((conflict) => conflict.column('name').doNothing())
          .executeTakeFirstOrThrow();
        return [
          updated.numUpdatedRows,
          none.numUpdatedRows,
          deleted.numDeletedRows,
          kept.numInsertedOrUpdatedRows,
        ];
      });
      expect(touched).toEqual([2n, 0n, 1n, 0n]);
    });

    test('text of every kind comes back as it was', async () => {
      const value = JSON.stringify({ text: `'; drop table secrets; -- "\\ ÄЖ漢🙂 \0 \n` });
      await store.write((transaction) =>
        transaction.insertInto('secrets').values({ name: `it's`, value }).execute(),
      );
      const row = await store.db.selectFrom('secrets').selectAll().executeTakeFirstOrThrow();
      expect(row).toEqual({ name: `it's`, value });
    });

    test('two nodes that read a row to change it do so one after the other', async () => {
      await store.write((transaction) =>
        transaction.insertInto('secrets').values({ name: 'counter', value: '0' }).execute(),
      );
      const increase = (node: Store) =>
        node.write(async (transaction) => {
          const row = await forUpdate(
            transaction.selectFrom('secrets').selectAll().where('name', '=', 'counter'),
          ).executeTakeFirstOrThrow();
          const value = String(Number(row.value) + 1);
          await transaction.updateTable('secrets').set({ value }).where('name', '=', 'counter').execute();
        });
      const other = await another();
      await Promise.all(Array.from({ length: 60 }, (_, i) => increase(i % 2 === 0 ? store : other)));
      const { value } = await store.db.selectFrom('secrets').selectAll().executeTakeFirstOrThrow();
      expect(value).toBe('60');
    });

    test('what several nodes claim at once goes to one of them each', async () => {
      await addOrganization(store);
      await addEndpoint(store);
      await Promise.all(Array.from({ length: 40 }, () => addDelivery(store)));
      const claim = (node: Store) =>
        node.write(async (transaction) => {
          const rows = await forUpdateSkipLocked(
            transaction
              .selectFrom('deliveries')
              .select('id')
              .where('status', '=', 'pending')
              .orderBy('sequence')
              .limit(5),
          ).execute();
          const ids = rows.map((row) => row.id);
          if (ids.length > 0)
            await transaction
              .updateTable('deliveries')
              .set({ status: 'delivered' })
              .where('id', 'in', ids)
              .execute();
          return ids;
        });
      const other = await another();
      const claimed: string[] = [];
      for (let round = 0; round < 40 && claimed.length < 40; round++)
        claimed.push(...(await Promise.all([store, other, store, other].map(claim))).flat());
      expect(claimed).toHaveLength(40);
      expect(new Set(claimed).size).toBe(40);
    });

    test('a database that is lost refuses changes, and takes them again by itself when it is back', async () => {
      await add('before');
      await backend.lose(url);
      try {
        await expect(add('meanwhile')).rejects.toThrow(StoreUnavailable);
        await eventually('the loss is known', () => !store.isAvailable);
        expect(() => store.assertAvailable()).toThrow(StoreUnavailable);
      } finally {
        await backend.restore();
      }
      await eventually('it is back', () => store.isAvailable);
      store.assertAvailable();
      await add('after');
      expect(await names()).toEqual(['after', 'before']);
      expect(heard).toEqual([false, true]);
    }, 60_000);

    test('the tables are those of the schema, and refer to each other', async () => {
      const orphan = store.write((transaction) =>
        transaction
          .insertInto('numbers')
          .values({
            ...{ id: 'n', organization_id: 'nobody', phone_number: '+1', carrier: 'twilio' as const },
            ...{ active: 1, created_at: 1 },
          })
          .execute(),
      );
      await expect(orphan).rejects.toThrow(/foreign key/i);
      expect((await sql`select 1 as one`.execute(store.db)).rows).toEqual([{ one: 1 }]);
    });
  });
});
