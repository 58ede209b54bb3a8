import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SenderOptions } from '../../src/webhooks/sender.ts';
import { type Backend, backends } from '../store/backends.ts';
import { WebhookRoom } from './fixture.ts';
import { isSigned, Receiver } from './receiver.ts';

const MINUTE = 60_000;

describe.each(backends)('the delivery of webhooks, kept in $name', ({ missing, start }) => {
  let backend: Backend;
  beforeAll(async () => {
    if (!missing) backend = await start();
  }, 60_000);
  afterAll(() => backend?.close());
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function open(options: Partial<SenderOptions> = {}) {
    const url = await backend.create();
    const room = await WebhookRoom.open(url, options as object);
    running.push({ stop: () => room.close() });
    const receiver = await Receiver.start();
    running.push(receiver);
    const { endpoint, secret } = await room.endpoints.create('acme', receiver.url, ['*']);
    return { room, receiver, secret, id: endpoint.id, url };
  }
  const attemptsOf = async (room: WebhookRoom, id: string) => {
    const [delivery] = await room.rows(id);
    return (await room.deliveries.get('acme', delivery?.id ?? '')).attempts;
  };

  test.skipIf(missing)(
    'sends the envelope and the headers of the contract, signed so that a receiver can check it',
    async () => {
      const { room, receiver, secret, id } = await open();
      const session = await room.session();
      await room.settle();
      const [received] = receiver.received;
      expect(received?.body).toEqual({
        id: expect.stringMatching(/^evt_/),
        type: 'session.created',
        api_version: 'v1',
        created_at: new Date(room.clock.at).toISOString(),
        data: expect.objectContaining({ id: session.id, object: 'session', status: 'created' }),
      });
      expect(received?.headers).toMatchObject({
        'content-type': 'application/json',
        'kallglot-webhook-id': (await room.rows(id))[0]?.id,
        'kallglot-retry-count': '0',
        'kallglot-original-timestamp': String(room.clock.at / 1000),
        'user-agent': expect.stringMatching(/^Kallglot/),
      });
      expect(isSigned(received!, secret)).toBe(true);
      expect(isSigned({ ...received!, raw: `${received?.raw} ` }, secret)).toBe(false);
      expect(isSigned(received!, 'whsec_another')).toBe(false);
      expect(room.outcomes).toEqual(['delivered']);
    },
  );

  test.skipIf(missing)('events are delivered as they are written, without a poll', async () => {
    const { room, receiver } = await open();
    await room.session();
    await receiver.count(1);
    expect(receiver.types()).toEqual(['session.created']);
  });

  test.skipIf(missing)('a rotated secret signs from then on, and the old one no more', async () => {
    const { room, receiver, secret, id } = await open();
    const rotated = await room.endpoints.rotateSecret('acme', id);
    await room.session();
    await room.settle();
    expect(isSigned(receiver.received[0]!, rotated.secret)).toBe(true);
    expect(isSigned(receiver.received[0]!, secret)).toBe(false);
  });

  test.skipIf(missing)(
    'tries 8 times at the documented moments, then gives up; sent again it is tried once more',
    async () => {
      const { room, receiver, id } = await open();
      receiver.answer = (response) => response.writeHead(500).end();
      await room.session();
      await room.settle();
      const delays = [1, 5, 30, 120, 300, 600, 1440];
      for (const [index, minutes] of delays.entries()) {
        await room.settle(minutes * MINUTE - 1);
        expect(receiver.received).toHaveLength(index + 1);
        await room.settle(1);
        expect(receiver.received).toHaveLength(index + 2);
      }
      await room.settle(48 * 60 * MINUTE);
      expect(receiver.received.map(({ headers }) => headers['kallglot-retry-count'])).toEqual([
        '0',
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
      ]);
      expect(new Set(receiver.received.map(({ raw }) => raw)).size).toBe(1);
      expect(new Set(receiver.received.map(({ headers }) => headers['kallglot-webhook-id'])).size).toBe(1);
      const [failed] = await room.rows(id);
      expect(failed).toMatchObject({ status: 'failed', attempts: 8 });
      expect(await attemptsOf(room, id)).toHaveLength(8);
      expect(room.outcomes).toEqual([...Array(7).fill('retry'), 'failed']);

      receiver.answer = (response) => response.writeHead(204).end();
      await room.deliveries.retry('acme', failed?.id ?? '');
      await room.settle();
      expect((await room.rows(id))[0]).toMatchObject({ status: 'delivered', attempts: 9 });
    },
  );

  test.skipIf(missing)('follows no redirect: it is a failure', async () => {
    const { room, receiver, id } = await open();
    receiver.answer = (response) => response.writeHead(307, { Location: '/elsewhere' }).end();
    await room.session();
    await room.settle();
    expect(receiver.received.map(({ path }) => path)).toEqual(['/hook']);
    expect(await attemptsOf(room, id)).toMatchObject([{ status: 307, error: null }]);
    expect((await room.rows(id))[0]).toMatchObject({ status: 'pending', attempts: 1 });
  });

  test.skipIf(missing)('a receiver that does not answer in time has failed', async () => {
    const { room, receiver, id } = await open({ timeoutMs: 100 });
    receiver.answer = () => undefined;
    await room.session();
    await room.settle();
    expect(await attemptsOf(room, id)).toMatchObject([{ status: null, error: 'no answer within 0.1 s' }]);
  });

  test.skipIf(missing)('a receiver that is gone has failed, and the reason is kept', async () => {
    const { room, receiver, id } = await open();
    await receiver.stop();
    running.splice(running.indexOf(receiver), 1);
    await room.session();
    await room.settle();
    const [attempt] = await attemptsOf(room, id);
    expect(attempt?.status).toBeNull();
    expect(attempt?.error).toMatch(/ECONNREFUSED/);
  });

  test.skipIf(missing)(
    'an answer without end is cut off after a little, and counts by its status',
    async () => {
      const { room, receiver, id } = await open();
      let written = 0;
      receiver.answer = (response) => {
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
        };
        response.on('drain', more);
        response.on('error', () => undefined);
        more();
      };
      await room.session();
      await room.settle();
      expect((await room.rows(id))[0]).toMatchObject({ status: 'delivered', attempts: 1 });
      expect(written).toBeLessThan(20_000_000);
    },
  );

  test.skipIf(missing)(
    'a later event of a session waits for the earlier one; other sessions go on',
    async () => {
      const { room, receiver } = await open();
      const stuck = await room.session();
      await room.settle();
      receiver.received.length = 0;
      receiver.answer = (response, { body }) =>
        response.writeHead(body.type === 'session.started' && body.data.id === stuck.id ? 500 : 200).end();
      await room.sessions.apply(stuck.id, { type: 'started', at: room.clock.at });
      await room.settle();
      await room.sessions.apply(stuck.id, { type: 'ended', at: room.clock.at, reason: 'completed' });
      const other = await room.session();
      await room.settle();
      const seen = () => receiver.received.map(({ body }) => [body.type, body.data.id === stuck.id]);
      const before = [
        ['session.started', true],
        ['session.created', false],
      ];
      expect(seen()).toEqual(before);
      await room.sessions.apply(other.id, { type: 'started', at: room.clock.at });
      await room.settle();
      receiver.answer = (response) => response.writeHead(200).end();
      await room.settle(MINUTE);
      expect(seen()).toEqual([
        ...before,
        ['session.started', false],
        ['session.started', true],
        ['session.ended', true],
      ]);
    },
  );

  test.skipIf(missing)('what waits behind a failed event goes when that is given up', async () => {
    const { room, receiver, id } = await open();
    receiver.answer = (response, { body }) =>
      response.writeHead(body.type === 'session.created' ? 500 : 200).end();
    const session = await room.session();
    await room.sessions.apply(session.id, { type: 'started', at: room.clock.at });
    for (let attempt = 0; attempt < 8; attempt++) await room.settle(24 * 60 * MINUTE);
    expect((await room.rows(id)).map(({ status }) => status)).toEqual(['failed', 'delivered']);
    expect(receiver.types()).toEqual([...Array(8).fill('session.created'), 'session.started']);
  });

  test.skipIf(missing)('a slow receiver holds up nobody else, and gets no more than 4 at once', async () => {
    const { room, receiver } = await open();
    let open_ = 0;
    let most = 0;
    const held: (() => void)[] = [];
    receiver.answer = (response) => {
      most = Math.max(most, ++open_);
      held.push(() => {
        open_--;
        response.writeHead(200).end();
      });
    };
    for (let i = 0; i < 30; i++) await room.session();
    const quick = await Receiver.start();
    running.push(quick);
    await room.endpoints.create('other', quick.url, ['*']);
    await room.session('other');
    await quick.count(1);
    await receiver.count(4);
    for (let i = 1; i <= 30; i++) {
      await receiver.count(i);
      held.shift()?.();
    }
    await room.settle();
    expect(receiver.received).toHaveLength(30);
    expect(most).toBe(4);
  });

  test.skipIf(missing)(
    'an endpoint gets what it chose, and nothing while it is off; what waits goes when it is on again',
    async () => {
      const { room, receiver, id } = await open();
      await room.endpoints.update('acme', id, { events: ['session.started'] });
      receiver.answer = (response) => response.writeHead(500).end();
      const session = await room.session();
      await room.sessions.apply(session.id, { type: 'started', at: room.clock.at });
      await room.settle();
      expect(receiver.types()).toEqual(['session.started']);
      receiver.answer = (response) => response.writeHead(200).end();
      await room.endpoints.update('acme', id, { active: false });
      await room.settle(60 * MINUTE);
      expect(receiver.received).toHaveLength(1);
      await room.endpoints.update('acme', id, { active: true });
      await room.settle();
      expect(receiver.types()).toEqual(['session.started', 'session.started']);
    },
  );

  test.skipIf(missing)(
    'two processes on one store deliver each event once, and those of a session in order',
    async () => {
      const { room, receiver, url } = await open();
      const second = await WebhookRoom.open(url, { clock: room.clock } as object);
      running.push({ stop: () => second.close() });
      const nodes = [room, second];
      const lives = Array.from({ length: 40 }, async (_, index) => {
        const node = nodes[index % 2] as WebhookRoom;
        const { id } = await node.session();
        await node.sessions.apply(id, { type: 'started', at: room.clock.at });
        await node.sessions.apply(id, { type: 'ended', at: room.clock.at, reason: 'completed' });
      });
      await Promise.all(lives);
      await receiver.count(40);
      // What one process has just made due, the other may have looked at too early.
      for (let looks = 0; looks < 1000 && receiver.received.length < 120; looks++)
        await Promise.all(nodes.map((node) => node.settle()));
      expect(receiver.received).toHaveLength(120);
      await Promise.all(nodes.map((node) => node.settle(24 * 60 * MINUTE)));
      expect(receiver.received).toHaveLength(120);
      const perSession = Map.groupBy(receiver.received, ({ body }) => body.data.id);
      for (const events of perSession.values())
        expect(events.map(({ body }) => body.type)).toEqual([
          'session.created',
          'session.started',
          'session.ended',
        ]);
      expect(nodes.every(({ outcomes }) => outcomes.includes('delivered'))).toBe(true);
    },
  );

  test.skipIf(missing)(
    'a stop gives back what does not end within 2 s, and the next start sends it at once',
    async () => {
      const { room, receiver, id } = await open();
      receiver.answer = () => undefined;
      await room.session();
      await receiver.count(1);
      await room.deliverer.close();
      const [left] = await room.rows(id);
      expect(left).toMatchObject({ status: 'pending', attempts: 0, due_at: room.clock.at });
    },
  );
});
