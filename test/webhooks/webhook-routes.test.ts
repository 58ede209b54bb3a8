import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { authorize } from '../../src/api/authenticate.ts';
import { errorHandler } from '../../src/api/envelope.ts';
import { webhookRoutes } from '../../src/api/webhook-routes.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { codeOf, WebhookRoom } from './fixture.ts';
import { isSigned, Receiver } from './receiver.ts';

/** The routes with the room behind them, and the caller that a test names. */
function createApp(room: WebhookRoom): FastifyInstance {
  const app = fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(errorHandler(createLog('silent')));
  app.addHook('onRequest', async (request) => {
    const { organization, scopes } = request.headers as { organization: string; scopes: string };
    const caller = { organizationId: organization, active: true, environment: 'test', scopes: [scopes] };
    request.caller = caller as never;
    authorize(request.caller, request.routeOptions.config.scope);
  });
  webhookRoutes(app, { webhooks: room });
  return app;
}

describe('webhooks over REST', () => {
  let room: WebhookRoom;
  let receiver: Receiver;
  let app: FastifyInstance;

  beforeEach(async () => {
    room = await WebhookRoom.open();
    receiver = await Receiver.start();
    app = createApp(room);
  });
  afterEach(async () => {
    await app.close();
    await room.close();
    await receiver.stop();
  });

  async function ask(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    payload?: object,
    { organization = 'acme', scopes = 'webhooks:manage' } = {},
  ) {
    const url = `/v1/webhooks${path}`;
    const response = await app.inject({
      method,
      url,
      headers: { organization, scopes },
      payload: payload as object,
    });
    return { status: response.statusCode, body: response.json() };
  }
  const create = async (events: string[] = ['*']) =>
    (await ask('POST', '', { url: receiver.url, events })).body as { id: string; secret: string };

  test('an endpoint is made, and its secret is shown once', async () => {
    const made = await ask('POST', '', { url: receiver.url, events: ['session.started', 'session.ended'] });
    expect(made.status).toBe(201);
    const { secret, ...shown } = made.body;
    expect(secret).toMatch(/^whsec_[A-Za-z0-9_-]{43}$/);
    expect(shown).toEqual({
      id: expect.stringMatching(/^wh_[0-9A-HJKMNP-TV-Z]{26}$/),
      object: 'webhook_endpoint',
      url: receiver.url,
      events: ['session.started', 'session.ended'],
      active: true,
      created_at: new Date(room.clock.at).toISOString(),
    });
    expect((await ask('GET', `/${shown.id}`)).body).toEqual(shown);
    expect((await ask('GET', '')).body).toEqual({
      object: 'list',
      data: [shown],
      has_more: false,
      url: '/v1/webhooks',
    });
    const stored = await room.store.db.selectFrom('webhook_endpoints').selectAll().executeTakeFirstOrThrow();
    expect(JSON.stringify(stored)).not.toContain(secret);
  });

  test('it is changed, switched off, and deleted', async () => {
    const { id } = await create();
    const url = 'https://example.com/other';
    const changed = await ask('PATCH', `/${id}`, { url, events: ['session.ended'], active: false });
    expect(changed.body).toMatchObject({ id, url, events: ['session.ended'], active: false });
    expect((await ask('GET', `/${id}`)).body).toEqual(changed.body);
    expect((await ask('DELETE', `/${id}`)).body).toEqual({ id, object: 'webhook_endpoint', deleted: true });
    expect((await ask('GET', `/${id}`)).status).toBe(404);
  });

  test('a rotated secret is another one', async () => {
    const { id, secret } = await create();
    const rotated = await ask('POST', `/${id}/rotate_secret`);
    expect(rotated.body.secret).toMatch(/^whsec_/);
    expect(rotated.body.secret).not.toBe(secret);
    expect((await ask('GET', `/${id}`)).body).not.toHaveProperty('secret');
  });

  test.each([
    [{ events: ['*'] }, 'url'],
    [{ url: 'http://example.com/', events: ['*'] }, 'url'],
    [{ url: 'https://user:pass@example.com/', events: ['*'] }, 'url'],
    [{ url: 7, events: ['*'] }, 'url'],
    [{ url: `https://example.com/${'a'.repeat(2000)}`, events: ['*'] }, 'url'],
    [{ url: 'https://example.com/' }, 'events'],
    [{ url: 'https://example.com/', events: [] }, 'events'],
    [{ url: 'https://example.com/', events: ['*', 'session.ended'] }, 'events'],
    [{ url: 'https://example.com/', events: ['session.dtmf', '*', 'session.ended'] }, 'events'],
    [{ url: 'https://example.com/', events: ['session.ended', 'session.ended'] }, 'events'],
    [{ url: 'https://example.com/', events: ['session.exploded'] }, 'events.0'],
  ])('%j is refused, and %s is named', async (body, param) => {
    const { status, body: answer } = await ask('POST', '', body);
    expect(status).toBe(422);
    expect(answer.error).toMatchObject({ type: 'validation_error', param });
    expect(await room.endpoints.list('acme')).toEqual([]);
  });

  test('an organization has 20 at most, also when they are made all at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 25 }, () => ask('POST', '', { url: receiver.url, events: ['*'] })),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(made.find(({ status }) => status !== 201)).toMatchObject({
      status: 409,
      body: { error: { code: 'webhook_limit_reached' } },
    });
    expect(await codeOf(room.endpoints.create('other', receiver.url, ['*']))).toBe('nothing was refused');
  });

  test('a test event is sent whatever was chosen, and its delivery can be looked at', async () => {
    const { id, secret } = await create(['session.ended']);
    const tested = await ask('POST', `/${id}/test`);
    expect(tested).toMatchObject({
      status: 202,
      body: { webhook_id: id, event_type: 'webhook.test', session_id: null },
    });
    await room.settle();
    expect(receiver.types()).toEqual(['webhook.test']);
    expect(isSigned(receiver.received[0]!, secret)).toBe(true);
    expect((await ask('GET', `/deliveries/${tested.body.id}`)).body).toEqual({
      ...tested.body,
      status: 'delivered',
      attempt_count: 1,
      next_attempt_at: null,
      attempts: [
        {
          attempt: 1,
          at: new Date(room.clock.at).toISOString(),
          http_status: 200,
          error: null,
          duration_ms: expect.any(Number),
        },
      ],
    });
    await ask('PATCH', `/${id}`, { active: false });
    expect((await ask('POST', `/${id}/test`)).body.error.code).toBe('webhook_inactive');
  });

  test('deliveries are listed newest first, by cursor and by status', async () => {
    const { id } = await create();
    for (let i = 0; i < 5; i++) {
      await ask('POST', `/${id}/test`);
      room.clock.at += 10;
    }
    await room.settle();
    receiver.answer = (response) => response.writeHead(500).end();
    const failing = (await ask('POST', `/${id}/test`)).body.id;
    await room.settle();
    const list = async (query: string) => (await ask('GET', `/${id}/deliveries?${query}`)).body;
    const ids = ({ data }: { data: { id: string }[] }) => data.map((one) => one.id);
    const all = await list('');
    expect(all).toMatchObject({ object: 'list', has_more: false, url: `/v1/webhooks/${id}/deliveries` });
    expect(ids(all)).toHaveLength(6);
    expect(ids(all)).toEqual([...ids(all)].sort().reverse());
    const first = await list('limit=2');
    expect([ids(first), first.has_more]).toEqual([ids(all).slice(0, 2), true]);
    const rest = await list(`limit=4&starting_after=${ids(first)[1]}`);
    expect([ids(rest), rest.has_more]).toEqual([ids(all).slice(2), false]);
    const back = await list(`limit=3&ending_before=${ids(all)[4]}`);
    expect([ids(back), back.has_more]).toEqual([ids(all).slice(1, 4), true]);
    expect(ids(await list('status=pending'))).toEqual([failing]);
    expect(ids(await list('status=delivered'))).not.toContain(failing);
    for (const wrong of ['status=lost', 'limit=0', 'limit=101'])
      expect((await ask('GET', `/${id}/deliveries?${wrong}`)).status).toBe(422);
  });

  test('only what has failed can be sent again', async () => {
    const { id } = await create();
    receiver.answer = (response) => response.writeHead(500).end();
    const { body } = await ask('POST', `/${id}/test`);
    for (let attempt = 0; attempt < 7; attempt++) await room.settle(24 * 3_600_000);
    expect((await ask('POST', `/deliveries/${body.id}/retry`)).body.error.code).toBe('delivery_not_failed');
    await room.settle(24 * 3_600_000);
    expect((await ask('GET', `/deliveries/${body.id}`)).body).toMatchObject({
      status: 'failed',
      attempt_count: 8,
    });
    receiver.answer = (response) => response.writeHead(200).end();
    expect((await ask('POST', `/deliveries/${body.id}/retry`)).status).toBe(202);
    await room.settle();
    expect((await ask('GET', `/deliveries/${body.id}`)).body).toMatchObject({
      status: 'delivered',
      attempt_count: 9,
    });
    expect((await ask('POST', `/deliveries/${body.id}/retry`)).status).toBe(409);
  });

  test("another organization's ids do not exist", async () => {
    const { id } = await create();
    const delivery = (await ask('POST', `/${id}/test`)).body.id;
    const other = { organization: 'other' };
    const asked = [
      await ask('GET', `/${id}`, undefined, other),
      await ask('PATCH', `/${id}`, { active: false }, other),
      await ask('DELETE', `/${id}`, undefined, other),
      await ask('POST', `/${id}/rotate_secret`, undefined, other),
      await ask('POST', `/${id}/test`, undefined, other),
      await ask('GET', `/${id}/deliveries`, undefined, other),
      await ask('GET', `/deliveries/${delivery}`, undefined, other),
      await ask('POST', `/deliveries/${delivery}/retry`, undefined, other),
    ];
    expect(asked.map(({ status }) => status)).toEqual(Array(8).fill(404));
    expect((await ask('GET', '', undefined, other)).body.data).toEqual([]);
    expect((await ask('GET', `/${id}`)).body.active).toBe(true);
    await room.session('other');
    await room.settle();
    expect(receiver.types()).toEqual(['webhook.test']);
  });

  test('every route wants the scope webhooks:manage', async () => {
    const { id } = await create();
    const with_ = { scopes: 'sessions:write' };
    const asked = [
      await ask('POST', '', { url: receiver.url, events: ['*'] }, with_),
      await ask('GET', '', undefined, with_),
      await ask('GET', `/${id}`, undefined, with_),
      await ask('PATCH', `/${id}`, { active: false }, with_),
      await ask('DELETE', `/${id}`, undefined, with_),
      await ask('POST', `/${id}/rotate_secret`, undefined, with_),
      await ask('POST', `/${id}/test`, undefined, with_),
      await ask('GET', `/${id}/deliveries`, undefined, with_),
      await ask('GET', '/deliveries/wh_del_x', undefined, with_),
      await ask('POST', '/deliveries/wh_del_x/retry', undefined, with_),
    ];
    expect(asked.map(({ status }) => status)).toEqual(Array(10).fill(403));
  });

  test('deliveries of a deleted endpoint go with it', async () => {
    const { id } = await create();
    receiver.answer = (response) => response.writeHead(500).end();
    const { body } = await ask('POST', `/${id}/test`);
    await room.settle();
    await ask('DELETE', `/${id}`);
    await room.settle(24 * 3_600_000);
    expect(receiver.received).toHaveLength(1);
    expect((await ask('GET', `/deliveries/${body.id}`)).status).toBe(404);
  });
});
