import { afterEach, describe, expect, test } from 'vitest';
import { RateLimits, TokenBuckets } from '../../src/api/rate-limits.ts';
import { type ApiFixture, type ApiFixtureOptions, acme, bearer, openApi, other } from './api-fixture.ts';

describe('a token bucket', () => {
  let now = 1_000_000;
  const clock = { now: () => now, monotonic: () => now };

  test('lets its limit through at once, and then as fast as it refills', () => {
    const buckets = new TokenBuckets(60, clock);
    for (let left = 59; left >= 0; left--)
      expect(buckets.take('a')).toMatchObject({ allowed: true, limit: 60, remaining: left });
    expect(buckets.take('a')).toMatchObject({ allowed: false, remaining: 0, retryAfter: 1 });
    now += 999;
    expect(buckets.take('a').allowed).toBe(false);
    now += 1;
    expect(buckets.take('a').allowed).toBe(true);
    expect(buckets.take('b').allowed).toBe(true);
  });

  test('says when it is full again', () => {
    const buckets = new TokenBuckets(60, clock);
    for (let i = 0; i < 30; i++) buckets.take('a');
    const { resetAt } = buckets.take('a');
    expect(resetAt).toBe(Math.ceil(now / 1000 + 31));
    now += 31_000;
    expect(buckets.take('a').remaining).toBe(59);
  });

  test('never holds more than its limit, and does not mind a clock that goes back', () => {
    const buckets = new TokenBuckets(2, clock);
    buckets.take('a');
    now += 3_600_000;
    expect(buckets.take('a').remaining).toBe(1);
    now -= 7_200_000;
    expect(buckets.take('a').remaining).toBe(0);
  });

  test('is one of a bounded number', () => {
    const buckets = new TokenBuckets(5, clock);
    for (let i = 0; i < 25_000; i++) buckets.take(`address ${i}`);
    expect(buckets.size).toBe(10_000);
  });

  test('of sessions shows where it is tighter than that of requests', () => {
    const settings = {
      requests_per_minute: 3,
      session_creates_per_minute: 2,
      failed_authentications_per_minute: 1,
    };
    const limits = new RateLimits(settings, clock);
    expect(limits.take('acme', true)).toMatchObject({ limit: 2, remaining: 1 });
    expect(limits.take('acme', false)).toMatchObject({ limit: 3, remaining: 1 });
    expect(limits.take('acme', true)).toMatchObject({ allowed: true, remaining: 0 });
    expect(limits.take('acme', true).allowed).toBe(false);
  });
});

describe('the API', () => {
  let api: ApiFixture;
  const open = async (rateLimit: NonNullable<ApiFixtureOptions['rateLimit']>) => {
    api = await openApi({ rateLimit });
  };
  const few = {
    requests_per_minute: 5,
    session_creates_per_minute: 2,
    failed_authentications_per_minute: 3,
  };
  afterEach(() => api.close());

  test('tells the limit with every answer, refusals too', async () => {
    await open(few);
    const answers = [
      await api.request('GET', '/v1/sessions/sess_x'),
      await api.request('GET', '/v1/nothing'),
      await api.create({ mode: 'x' }),
      await api.request('GET', '/v1/sessions/sess_x', { headers: bearer('sk_test_nobody_0123456789') }),
    ];
    expect(answers.map((answer) => answer.statusCode)).toEqual([404, 404, 422, 401]);
    for (const { headers } of answers) {
      expect(Number(headers['x-ratelimit-limit'])).toBeGreaterThan(0);
      expect(Number(headers['x-ratelimit-remaining'])).toBeGreaterThanOrEqual(0);
      const inSeconds = Number(headers['x-ratelimit-reset']) - Date.now() / 1000;
      expect(inSeconds).toBeGreaterThan(-5);
      expect(inSeconds).toBeLessThan(62);
    }
  });

  test('refuses what is too much of one organization, until it waited', async () => {
    await open(few);
    const ask = (headers = acme) => api.request('GET', '/v1/sessions/sess_x', { headers });
    for (let i = 0; i < 5; i++) expect((await ask()).statusCode).toBe(404);
    const refused = await ask();
    expect([refused.statusCode, refused.json().error]).toEqual([
      429,
      expect.objectContaining({ type: 'rate_limit_error', code: 'rate_limit_exceeded' }),
    ]);
    const retryAfter = Number(refused.headers['retry-after']);
    expect(refused.json().error.retry_after).toBe(retryAfter);
    expect(refused.headers['x-ratelimit-remaining']).toBe('0');
    expect((await ask(other)).statusCode).toBe(404);
    api.state.skewMs = retryAfter * 1000;
    expect((await ask()).statusCode).toBe(404);
  });

  test('counts the making of sessions for itself', async () => {
    await open(few);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await api.create()).statusCode);
    expect(statuses).toEqual([201, 201, 429]);
    expect((await api.request('GET', '/v1/sessions/sess_x')).statusCode).toBe(404);
  });

  test('lets nobody try one key after the other, and locks out no good one', async () => {
    await open(few);
    const ask = (key: string) => api.request('GET', '/v1/sessions/sess_x', { headers: bearer(key) });
    expect((await ask('sk_test_acme_0123456789')).statusCode).toBe(404);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(`sk_test_guess_${i}000000`)).statusCode);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await ask('sk_test_acme_0123456789')).statusCode).toBe(404);
    // One that was never seen here might be the next guess.
    expect((await ask('sk_test_other_0123456789')).statusCode).toBe(429);
    api.state.skewMs = 60_000;
    expect((await ask('sk_test_other_0123456789')).statusCode).toBe(404);
  });

  test('counts guesses of the operator’s key as well', async () => {
    await open(few);
    const ask = (key: string) => api.request('GET', '/v1/admin/refusals', { headers: bearer(key) });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(`guess-${i}`)).statusCode);
    expect(statuses).toEqual([401, 401, 401, 429]);
  });
});
