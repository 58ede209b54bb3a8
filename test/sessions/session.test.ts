import { describe, expect, test } from 'vitest';
import { durationSeconds, readSession, transition } from '../../src/sessions/session.ts';

describe('the life of a session', () => {
  test('created becomes active at the first audio', () => {
    expect(transition('created', { type: 'started', at: 5 })).toEqual({ status: 'active', started_at: 5 });
  });

  test('a second start changes nothing', () => {
    expect(transition('active', { type: 'started', at: 9 })).toBeUndefined();
  });

  test.each(['created', 'active'] as const)('%s can end', (status) => {
    const ended = { status: 'ended', ended_at: 7, end_reason: 'completed', translation: null };
    expect(transition(status, { type: 'ended', at: 7, reason: 'completed' })).toEqual(ended);
  });

  test.each([{ type: 'started', at: 1 } as const, { type: 'ended', at: 1, reason: 'again' } as const])(
    'what has ended stays as it is: %o',
    (event) => {
      expect(transition('ended', event)).toBeUndefined();
    },
  );

  test('its duration counts from the first audio to the end', () => {
    const row = {
      id: 'sess_01ARZ3NDEKTSV4RRFFQ69G5FAV',
      organization_id: 'a',
      status: 'ended',
      mode: 'ai_agent',
      provider: 'sip',
      source_language: null,
      target_language: null,
      routing: '{"type":"sip"}',
      phone_number: null,
      connection_id: null,
      metadata: null,
      ai_agent: null,
      created_at: 1000,
      started_at: 2000,
      ended_at: 5500,
      end_reason: 'completed',
      translation: null,
      mix_original_db: null,
      last_alive_at: null,
      carrier_call_id: null,
    } as const;
    expect(durationSeconds(readSession(row))).toBe(3.5);
    expect(durationSeconds(readSession({ ...row, started_at: null }))).toBe(0);
    expect(readSession(row).routing).toEqual({ type: 'sip' });
  });
});
