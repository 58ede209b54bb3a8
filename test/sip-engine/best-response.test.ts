import { describe, expect, it } from 'vitest';
import { bestResponse, type Outcome } from '../../src/sip-engine/best-response.ts';
import { headersOf, type SipResponse } from '../../src/sip-engine/message.ts';

const answer = (status: number, ...fields: [name: string, value: string][]): SipResponse => ({
  kind: 'response',
  status,
  reason: 'x',
  headers: fields.map(([name, value]) => ({ name, value })),
  body: Buffer.alloc(0),
});

const best = (...outcomes: (number | SipResponse)[]): number => {
  const given = outcomes.map((one) => (typeof one === 'number' ? answer(one) : one));
  const chosen = bestResponse(given);
  return typeof chosen === 'number' ? chosen : chosen.status;
};

describe('the best of several failures (RFC 3261 §16.7)', () => {
  it.each([
    ['6xx before all others', [302, 401, 603, 500], 603],
    ['the first of several 6xx', [486, 600, 603], 600],
    ['the lowest class', [500, 486, 302], 302],
    ['the first of equals', [486, 404, 480], 486],
    ['what tells how to ask again, within its class', [486, 484], 484],
    ['and also before what came earlier', [404, 415, 420], 415],
    ['what says something before a timeout', [408, 487, 404], 404],
    ['another 5xx before a 503', [503, 504], 504],
    ['500 for nothing but 503', [503, 503], 500],
    ['a 503 of a lower class than no other is no 503', [503, 603], 603],
  ])('%s', (_, statuses, expected) => {
    expect(best(...statuses)).toBe(expected);
  });

  it('is 408 without any outcome, or when all were silent', () => {
    expect(bestResponse([])).toBe(408);
    expect(bestResponse([408, 503])).toBe(408);
  });

  it('is a response that came before one that stands for silence', () => {
    const busy = answer(486);
    expect(bestResponse([408, busy])).toBe(busy);
    const late = answer(408);
    expect(bestResponse([408, late])).toBe(late);
  });

  it('is 500 when nobody could be reached', () => {
    expect(bestResponse([503])).toBe(500);
  });

  it('carries the challenges of all, each kept as it is', () => {
    const outcomes: Outcome[] = [
      answer(407, ['Proxy-Authenticate', 'Digest realm="a"'], ['X-Mine', '1']),
      answer(486, ['WWW-Authenticate', 'Digest realm="not this"']),
      answer(401, ['WWW-Authenticate', 'Digest realm="b"'], ['WWW-Authenticate', 'Digest realm="c"']),
    ];
    const chosen = bestResponse(outcomes) as SipResponse;
    expect(chosen.status).toBe(407);
    expect(headersOf(chosen, 'Proxy-Authenticate')).toEqual(['Digest realm="a"']);
    expect(headersOf(chosen, 'WWW-Authenticate')).toEqual(['Digest realm="b"', 'Digest realm="c"']);
    expect(headersOf(chosen, 'X-Mine')).toEqual(['1']);
    expect(headersOf(outcomes[0] as SipResponse, 'WWW-Authenticate')).toEqual([]);
  });

  it('carries a bounded number of them', () => {
    const many = Array.from({ length: 30 }, () => answer(401, ['WWW-Authenticate', 'Digest realm="x"']));
    expect(headersOf(bestResponse(many) as SipResponse, 'WWW-Authenticate')).toHaveLength(17);
  });
});
