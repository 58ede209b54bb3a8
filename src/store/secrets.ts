import { randomBytes } from 'node:crypto';
import type { Store } from './store.ts';

/** Keys that all nodes share and that outlive a restart, made when they are first asked for: 32 random bytes, base64url. */
export function sharedSecret(store: Store, name: string): Promise<string> {
  return store.write(async (transaction) => {
    const made = randomBytes(32).toString('base64url');
    await transaction
      .insertInto('secrets')
      .values({ name, value: made })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await transaction
      .selectFrom('secrets')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirstOrThrow();
    return row.value;
  });
}
