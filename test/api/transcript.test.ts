import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { transcriptAnswer } from '../../src/api/session-answers.ts';
import { said } from '../sessions/said.ts';
import { type ApiFixture, bearer, openApi, other, sip } from './api-fixture.ts';

describe('GET /v1/sessions/{id}/transcript', () => {
  let api: ApiFixture;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.close());

  const create = async () => (await api.create({ ...sip, source_language: 'en' })).json().id;
  const get = (id: string, headers?: Record<string, string>) =>
    api.request('GET', `/v1/sessions/${id}/transcript`, { ...(headers && { headers }) });

  test('is empty before anybody has spoken', async () => {
    const id = await create();
    const answer = await get(id);
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        ...{ id: id.replace('sess_', 'trn_'), object: 'transcript', session_id: id, status: 'in_progress' },
        turns: [],
        metadata: { total_turns: 0, duration_seconds: 0, languages_detected: [] },
      },
    ]);
    await api.request('POST', `/v1/sessions/${id}/end`);
    expect((await get(id)).json()).toMatchObject({ status: 'completed', turns: [] });
  });

  test('shows what was said, translated or not', async () => {
    const id = await create();
    const translation = { language: 'es', text: 'Hola' };
    const finals = [said('Hello', { translation }), said('…', { speaker: 'agent' })];
    await api.transcripts.write(id, { finals, partials: [said('Hel', { final: false })], dropped: 0 });
    const body = (await get(id)).json();
    expect(transcriptAnswer.parse(body)).toEqual(body);
    expect(body.turns).toEqual([
      {
        ...{ sequence: 1, speaker: 'customer', language: 'en', text: 'Hello', translation },
        timestamp: '2027-01-15T08:00:00.000Z',
      },
      {
        ...{ sequence: 2, speaker: 'agent', language: null, text: '…' },
        timestamp: '2027-01-15T08:00:00.000Z',
      },
    ]);
  });

  test('is for whoever may read the session, and nobody else', async () => {
    const id = await create();
    expect((await get(id, bearer('sk_test_reader_0123456789'))).statusCode).toBe(200);
    const strange = await get(id, other);
    expect([strange.statusCode, strange.json().error.code]).toEqual([404, 'session_not_found']);
    expect((await get('sess_nothing')).statusCode).toBe(404);
    expect((await get(id, bearer('sk_test_writer_0123456789'))).statusCode).toBe(403);
  });
});
