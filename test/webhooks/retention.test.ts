import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { countBacklog, sweepOldEvents } from '../../src/webhooks/retention.ts';
import { WebhookRoom } from './fixture.ts';

const DAY = 24 * 3_600_000;

describe('what is kept of webhooks', () => {
  let room: WebhookRoom;
  beforeEach(async () => {
    room = await WebhookRoom.open();
    const { endpoint } = await room.endpoints.create('acme', 'http://127.0.0.1:1/', ['*']);
    await room.deliverer.close();
    await Promise.all(Array.from({ length: 450 }, () => room.session()));
    room.clock.at += DAY;
    await room.endpoints.test('acme', endpoint.id);
  });
  afterEach(() => room.close());

  const count = async (table: 'events' | 'deliveries') =>
    (await room.store.db.selectFrom(table).select('id').execute()).length;

  test('the backlog is what is still to be delivered', async () => {
    expect(await countBacklog(room.store)).toBe(451);
  });

  test('events and deliveries go after 30 days, in batches, and younger ones stay', async () => {
    expect(await sweepOldEvents(room.store, room.clock.at + 29 * DAY)).toBe(0);
    expect(await sweepOldEvents(room.store, room.clock.at + 29 * DAY + 1)).toBe(450);
    expect([await count('events'), await count('deliveries')]).toEqual([1, 1]);
    expect(await sweepOldEvents(room.store, room.clock.at + 31 * DAY)).toBe(1);
    expect([await count('events'), await count('deliveries')]).toEqual([0, 0]);
  });
});
