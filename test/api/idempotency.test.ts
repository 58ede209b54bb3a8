import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiFixture, acme, bearer, openApi, other, sip } from './api-fixture.ts';

const HOUR_MS = 3_600_000;
const withKey = (key: string, headers = acme) => ({ ...headers, 'idempotency-key': key });

describe('Idempotency-Key', () => {
  let folder: string;
  let api: ApiFixture;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'idempotency-'));
    api = await openApi({ file: join(folder, 'test.db') });
  });
  afterEach(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const sessionsMade = async (from = api) =>
    (await from.store.db.selectFrom('sessions').select('id').execute()).length;
  const keysKept = async () =>
    (await api.store.db.selectFrom('idempotency_keys').select('status').execute()).map((row) => row.status);

  test('repeats the first answer, byte by byte', async () => {
    const first = await api.create(sip, withKey('order-1'));
    const again = await api.create(sip, withKey('order-1'));
    expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
    expect(again.body).toBe(first.body);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
    expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(await sessionsMade()).toBe(1);
  });

  test('does not care for the order of keys in the body', async () => {
    const first = await api.create({ mode: 'ai_agent', routing: { type: 'sip' } }, withKey('k'));
    const again = await api.create({ routing: { type: 'sip' }, mode: 'ai_agent' }, withKey('k'));
    expect(again.json().id).toBe(first.json().id);
  });

  test('of another body or address is a mismatch', async () => {
    const { id } = (await api.create(sip, withKey('k'))).json();
    const answers = [
      await api.create({ ...sip, metadata: { a: 1 } }, withKey('k')),
      await api.request('POST', `/v1/sessions/${id}/end`, { headers: withKey('k') }),
    ];
    for (const answer of answers) {
      expect([answer.statusCode, answer.json().error.type, answer.json().error.code]).toEqual([
        400,
        'invalid_request_error',
        'idempotency_mismatch',
      ]);
    }
    expect((await api.request('GET', `/v1/sessions/${id}`)).json().status).toBe('created');
  });

  test('tells lists in the body from objects', async () => {
    await api.create({ ...sip, metadata: { tags: {} } }, withKey('k'));
    const other = await api.create({ ...sip, metadata: { tags: [] } }, withKey('k'));
    expect(other.json().error.code).toBe('idempotency_mismatch');
  });

  test('belongs to one organization', async () => {
    const webrtc = { ...sip, routing: { type: 'webrtc' } };
    const [mine, theirs] = [
      await api.create(webrtc, withKey('k')),
      await api.create(webrtc, withKey('k', other)),
    ];
    expect([mine.statusCode, theirs.statusCode]).toEqual([201, 201]);
    expect(theirs.json().id).not.toBe(mine.json().id);
    const byOtherKey = await api.create(webrtc, withKey('k', bearer('sk_live_acme_0123456789')));
    expect(byOtherKey.json().id).toBe(mine.json().id);
  });

  test('of 100 duplicates at once makes one session', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => api.create(sip, withKey('same'))));
    const made = answers.filter((answer) => answer.statusCode === 201);
    const refused = answers.filter((answer) => answer.statusCode !== 201);
    expect(new Set(made.map((answer) => answer.json().id)).size).toBe(1);
    for (const answer of refused) {
      expect([answer.statusCode, answer.json().error.code]).toEqual([409, 'idempotency_conflict']);
      expect(answer.headers['retry-after']).toBe('1');
    }
    expect(await sessionsMade()).toBe(1);
    expect((await api.create(sip, withKey('same'))).json().id).toBe(made[0]?.json().id);
  });

  test('is a conflict while the first is worked on, and free once that has died', async () => {
    await api.idempotencyKeys.claim({ organizationId: 'acme', key: 'k', fingerprint: 'of a dead request' });
    await expect(
      api.idempotencyKeys.claim({ organizationId: 'acme', key: 'k', fingerprint: 'of a dead request' }),
    ).rejects.toMatchObject({ code: 'idempotency_conflict' });
    api.state.skewMs = 61_000;
    expect((await api.create(sip, withKey('k'))).statusCode).toBe(201);
  });

  test('lost to another makes no session: the change is undone', async () => {
    const dead = await api.idempotencyKeys.claim({ organizationId: 'acme', key: 'k', fingerprint: 'f' });
    api.state.skewMs = 61_000;
    const { id } = (await api.create(sip, withKey('k'))).json();
    if (!('keep' in dead)) throw new Error('the key was free');
    const late = api.sessions.create(
      {
        organizationId: 'acme',
        mode: 'ai_agent',
        sourceLanguage: null,
        targetLanguage: null,
        routing: null,
        metadata: null,
        aiAgent: null,
      },
      { provider: 'sip' },
      (transaction) => dead.keep(transaction, { status: 201, body: '{}' }),
    );
    await expect(late).rejects.toMatchObject({ code: 'idempotency_conflict' });
    expect(await sessionsMade()).toBe(1);
    expect((await api.create(sip, withKey('k'))).json().id).toBe(id);
  });

  test('is remembered by a gateway that was started again', async () => {
    const first = await api.create(sip, withKey('k'));
    const next = await openApi({ file: join(folder, 'test.db') });
    expect((await next.create(sip, withKey('k'))).body).toBe(first.body);
    expect(await sessionsMade(next)).toBe(1);
    await next.close();
  });

  test('holds for 24 h, and is then forgotten', async () => {
    const { id } = (await api.create(sip, withKey('k'))).json();
    api.state.skewMs = 23.9 * HOUR_MS;
    await api.idempotencyKeys.sweep();
    expect((await api.create(sip, withKey('k'))).json().id).toBe(id);
    api.state.skewMs = 24.1 * HOUR_MS;
    expect((await api.create(sip, withKey('k'))).json().id).not.toBe(id);
    api.state.skewMs = 49 * HOUR_MS;
    await api.idempotencyKeys.sweep();
    expect(await keysKept()).toEqual([]);
  });

  test.each([
    [422, { mode: 'telepathy' }],
    [404, { ...sip, routing: { connection_id: 'pcon_nobody' } }],
    [422, { ...sip, recording: { enabled: true } }],
  ])('of a request that failed with %i may be used again', async (status, body) => {
    expect((await api.create(body, withKey('k'))).statusCode).toBe(status);
    expect(await keysKept()).toEqual([]);
    expect((await api.create(sip, withKey('k'))).statusCode).toBe(201);
  });

  test('of a request that broke on our side may be used again', async () => {
    api.state.draining = true;
    expect((await api.create(sip, withKey('k'))).statusCode).toBe(503);
    api.state.draining = false;
    expect((await api.create(sip, withKey('k'))).statusCode).toBe(201);
  });

  test('repeats the summary of an end', async () => {
    const { id } = (await api.create()).json();
    const end = () => api.request('POST', `/v1/sessions/${id}/end`, { headers: withKey('end') });
    const [first, again] = [await end(), await end()];
    expect([first.statusCode, again.statusCode]).toEqual([200, 200]);
    expect(again.body).toBe(first.body);
    expect(await keysKept()).toEqual([200]);
  });

  test('means nothing to a hang-up (contract §11)', async () => {
    const { id } = (await api.create()).json();
    const hangUp = (body: object) =>
      api.request('POST', `/v1/sessions/${id}/hangup`, { headers: withKey('k'), body });
    expect([(await hangUp({})).statusCode, (await hangUp({ role: 'agent' })).statusCode]).toEqual([200, 200]);
    expect(await keysKept()).toEqual([]);
  });

  test.each([['x'.repeat(256)], ['schlüssel'], ['']])('of the form %j is refused', async (key) => {
    const answer = await api.create(sip, withKey(key));
    expect([answer.statusCode, answer.json().error.code, answer.json().error.param]).toEqual([
      422,
      'invalid_request',
      'Idempotency-Key',
    ]);
    expect((await api.create(sip, withKey('x'.repeat(255)))).statusCode).toBe(201);
  });
});
