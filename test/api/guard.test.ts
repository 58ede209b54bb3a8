import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import { Guard } from '../../src/api/guard.ts';
import { RateLimits } from '../../src/api/rate-limits.ts';
import { ApiError, StoreUnavailable } from '../../src/errors.ts';

const settings = {
  requests_per_minute: 1000,
  session_creates_per_minute: 1000,
  failed_authentications_per_minute: 3,
};
const clock = { now: () => 0, monotonic: () => 0 };
const request = {
  socket: { remoteAddress: '192.0.2.1' },
  headers: { 'x-api-key': 'sk_test_x' },
} as unknown as FastifyRequest;
const reply = { header: () => reply, headers: () => reply } as unknown as FastifyReply;

function ask(guard: Guard, check: () => string): Promise<string> {
  return guard
    .identify(request, reply, check)
    .catch((error: Error) => (error instanceof ApiError ? error.code : error.name));
}

test('a lost store says nothing of a key: nobody is locked out by it', async () => {
  const guard = new Guard({ rateLimits: new RateLimits(settings, clock), findCaller: async () => undefined });
  const lost = () => {
    throw new StoreUnavailable('gone');
  };
  for (let i = 0; i < 10; i++) expect(await ask(guard, lost)).toBe('StoreUnavailable');
  expect(await ask(guard, () => 'known')).toBe('known');
});

test('wrong keys of one address are refused after a while, and a good one is not', async () => {
  const guard = new Guard({ rateLimits: new RateLimits(settings, clock), findCaller: async () => undefined });
  const wrong = () => {
    throw new ApiError('invalid_api_key');
  };
  const answers = [];
  for (let i = 0; i < 5; i++) answers.push(await ask(guard, wrong));
  expect(answers).toEqual([
    'invalid_api_key',
    'invalid_api_key',
    'invalid_api_key',
    'rate_limit_exceeded',
    'rate_limit_exceeded',
  ]);
});
