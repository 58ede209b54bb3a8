import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DigitRun } from '../../src/bridge/digit-player.ts';
import { ApiError } from '../../src/errors.ts';
import type { LegId, SessionId } from '../../src/ids.ts';
import type { Role } from '../../src/roles.ts';
import type { OpenCallRecord } from '../../src/telemetry/call-record.ts';
import { type ApiFixture, bearer, openApi, other } from './api-fixture.ts';

class FakeLeg {
  readonly id: LegId;
  readonly role: Role;
  isUp = true;
  isFull = false;
  readonly runs: DigitRun[] = [];

  constructor(role: Role) {
    this.role = role;
    this.id = `leg_${role}`;
  }

  press(run: DigitRun): 'rtp' | 'info' {
    if (this.isFull) throw new ApiError('dtmf_queue_full');
    this.runs.push(run);
    return this.role === 'agent' ? 'info' : 'rtp';
  }

  hangUp(): void {
    this.isUp = false;
  }

  get state() {
    return this.isUp ? ('up' as const) : ('setting_up' as const);
  }

  record(): OpenCallRecord {
    throw new Error('a key press needs no record');
  }
}

describe('keys that are pressed by REST', () => {
  let api: ApiFixture;
  let id: SessionId;
  let customer: FakeLeg;
  let agent: FakeLeg;
  let legs: FakeLeg[];

  beforeAll(async () => {
    api = await openApi({ legsOf: (session) => (session === id ? legs : []) });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    id = (await api.create()).json().id;
    customer = new FakeLeg('customer');
    agent = new FakeLeg('agent');
    legs = [customer, agent];
  });

  const press = (body: unknown, headers?: Record<string, string>) =>
    api.request('POST', `/v1/sessions/${id}/dtmf`, { body, ...(headers && { headers }) });
  const refused = async (body: unknown) => {
    const { statusCode, json } = await press(body);
    const { code, param } = json().error;
    return [statusCode, code, param];
  };

  test('are pressed at the leg that is named, and the answer does not repeat them', async () => {
    const answer = await press({ digits: 'w12,#b', role: 'agent' });
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { object: 'dtmf', session_id: id, leg_id: 'leg_agent', role: 'agent', method: 'info' },
    ]);
    await press({ digits: '9', leg_id: 'leg_customer', duration_ms: 250, gap_ms: 50 });
    expect(agent.runs).toEqual([{ digits: 'w12,#b', durationMs: 100, gapMs: 100 }]);
    expect(customer.runs).toEqual([{ digits: '9', durationMs: 250, gapMs: 50 }]);
  });

  test('need no name where one leg is up', async () => {
    agent.isUp = false;
    expect((await press({ digits: '1' })).json()).toMatchObject({ role: 'customer', method: 'rtp' });
  });

  test.each([
    [{}, 'digits'],
    [{ digits: '' }, 'digits'],
    [{ digits: 'w,' }, 'digits'],
    [{ digits: '12x' }, 'digits'],
    [{ digits: '1'.repeat(65) }, 'digits'],
    [{ digits: 12 }, 'digits'],
    [{ digits: '1', duration_ms: 39 }, 'duration_ms'],
    [{ digits: '1', duration_ms: 1001 }, 'duration_ms'],
    [{ digits: '1', gap_ms: 39 }, 'gap_ms'],
    [{ digits: '1', gap_ms: 1001 }, 'gap_ms'],
    [{ digits: '1', role: 'boss' }, 'role'],
    [{ digits: '1' }, 'role'],
  ])('refuses %o', async (body, param) => {
    expect(await refused(body)).toEqual([422, 'invalid_request', param]);
    expect([...customer.runs, ...agent.runs]).toEqual([]);
  });

  test('refuses both names at once, who is not up, and what no more room is for', async () => {
    expect((await refused({ digits: '1', role: 'agent', leg_id: 'leg_agent' }))[1]).toBe('invalid_request');
    agent.isUp = false;
    expect(await refused({ digits: '1', role: 'agent' })).toEqual([404, 'leg_not_found', 'role']);
    expect(await refused({ digits: '1', leg_id: 'leg_x' })).toEqual([404, 'leg_not_found', 'leg_id']);
    customer.isFull = true;
    expect(await refused({ digits: '1' })).toEqual([409, 'dtmf_queue_full', undefined]);
    legs = [];
    expect(await refused({ digits: '1' })).toEqual([404, 'leg_not_found', undefined]);
  });

  test('need the scope, the own session, and one that has not ended', async () => {
    const reader = await press({ digits: '1', role: 'agent' }, bearer('sk_test_reader_0123456789'));
    expect([reader.statusCode, reader.json().error.code]).toEqual([403, 'insufficient_permissions']);
    expect((await press({ digits: '1', role: 'agent' }, other)).json().error.code).toBe('session_not_found');
    await api.request('POST', `/v1/sessions/${id}/end`);
    expect(await refused({ digits: '1', role: 'agent' })).toEqual([409, 'session_ended', undefined]);
  });
});
