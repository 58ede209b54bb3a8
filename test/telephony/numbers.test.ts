import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { Numbers } from '../../src/telephony/numbers.ts';
import { openTelephonyStore } from '../support/api-organizations.ts';

const first = { phone_number: '+14155550100', carrier: 'twilio' as const };
const second = { phone_number: '+442071234567', carrier: 'telnyx' as const };

describe('managed numbers', () => {
  let store: Store;
  let numbers: Numbers;
  beforeEach(async () => {
    store = await openTelephonyStore();
    numbers = new Numbers(store, [first, second], () => 1000);
  });
  afterEach(() => store.close());

  test('are for sale until they are bought, and again when they are released', async () => {
    expect(await numbers.available()).toEqual([first, second]);
    const bought = await numbers.buy('acme', first.phone_number);
    expect(bought).toMatchObject({ ...first, active: 1 });
    expect(await numbers.available()).toEqual([second]);
    expect(await numbers.ofOrganization('acme')).toEqual([bought]);
    await numbers.release('acme', bought.id);
    expect(await numbers.available()).toEqual([first, second]);
    expect(await numbers.ofOrganization('acme')).toEqual([]);
  });

  test('of 50 buyers at once one gets the number', async () => {
    const buyers = Array.from({ length: 50 }, (_, i) =>
      numbers.buy(i % 2 ? 'acme' : 'other', first.phone_number),
    );
    const outcomes = await Promise.allSettled(buyers);
    expect(outcomes.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'phone_number_not_available' });
    expect(await store.db.selectFrom('numbers').selectAll().execute()).toHaveLength(1);
  });

  test('that nobody sells cannot be bought', async () => {
    await expect(numbers.buy('acme', '+14155559999')).rejects.toMatchObject({
      code: 'phone_number_not_available',
    });
  });

  test('are switched off and on by their owner alone', async () => {
    const { id } = await numbers.buy('acme', first.phone_number);
    expect(await numbers.setActive('acme', id, false)).toMatchObject({ active: 0 });
    for (const attempt of [numbers.setActive('other', id, true), numbers.release('other', id)])
      await expect(attempt).rejects.toMatchObject({ code: 'number_not_found' });
    expect(await numbers.ofOrganization('acme')).toMatchObject([{ id, active: 0 }]);
    expect(await numbers.setActive('acme', id, true)).toMatchObject({ active: 1 });
  });
});
