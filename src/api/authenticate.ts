import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import { addressOf } from '../source-network.ts';
import { type ApiCaller, hasScope, type Scope } from '../telephony/api-keys.ts';

/**
 * Who sends a request: `Authorization: Bearer <key>` or `X-API-Key: <key>` (contract §2).
 * @throws ApiError `invalid_api_key`, `organization_inactive`
 */
export async function authenticate(
  request: FastifyRequest,
  findCaller: (key: string) => Promise<ApiCaller | undefined>,
): Promise<ApiCaller> {
  const key = presentedKey(request);
  const caller = key === undefined ? undefined : await findCaller(key);
  if (caller === undefined) throw new ApiError('invalid_api_key');
  if (!caller.active) throw new ApiError('organization_inactive');
  return caller;
}

/**
 * Whether a caller's key is good for a route. A route that names no scope is closed.
 * @throws ApiError `insufficient_permissions`
 */
export function authorize(caller: ApiCaller, scope: Scope | undefined): void {
  if (scope !== undefined && hasScope(caller, scope)) return;
  const message = `The API key does not have the scope ${scope ?? 'of this route'}.`;
  throw new ApiError('insufficient_permissions', { message });
}

/**
 * Whether a request may see what only the operator may: with `api.admin_key`, or, where none is set, from this machine.
 * @throws ApiError `invalid_api_key`
 */
export function authenticateOperator(request: FastifyRequest, adminKey: string | undefined): void {
  if (adminKey === undefined) {
    if (['127.0.0.1', '::1'].includes(addressOf(request.socket))) return;
    throw new ApiError('invalid_api_key', { message: 'Set api.admin_key to use this from another machine.' });
  }
  const given = Buffer.from(presentedKey(request) ?? '');
  const wanted = Buffer.from(adminKey);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw new ApiError('invalid_api_key');
}

/** The key that a request carries, if it carries one. */
export function presentedKey({ headers }: FastifyRequest): string | undefined {
  const { authorization } = headers;
  if (authorization?.slice(0, 7).toLowerCase() === 'bearer ') return authorization.slice(7).trim();
  const key = headers['x-api-key'];
  return typeof key === 'string' ? key : undefined;
}
