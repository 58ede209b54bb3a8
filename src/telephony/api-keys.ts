import { createHash } from 'node:crypto';
import type { Scope } from '../config/scopes.ts';
import type { Store } from '../store/store.ts';

export { type Scope, scopes } from '../config/scopes.ts';

/** Whoever an API key belongs to. */
export interface ApiCaller {
  organizationId: string;
  active: boolean;
  environment: 'live' | 'test';
  /** What the key is good for; `*` stands for everything. */
  scopes: readonly (Scope | '*')[];
}

export const hasScope = ({ scopes }: ApiCaller, scope: Scope): boolean =>
  scopes.includes('*') || scopes.includes(scope);

/** What is stored of a key. It is 128 bits of chance or more, so that one plain SHA-256 is enough. */
export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex');

export const environmentOf = (key: string): 'live' | 'test' => (key.startsWith('sk_live_') ? 'live' : 'test');

/** @returns undefined when no such key is known. */
export async function findApiCaller(store: Store, key: string): Promise<ApiCaller | undefined> {
  if (key.length > 200 || !key.startsWith('sk_')) return undefined;
  const row = await store.db
    .selectFrom('api_keys')
    .innerJoin('organizations', 'organizations.id', 'api_keys.organization_id')
    .select(['api_keys.organization_id', 'api_keys.environment', 'api_keys.scopes', 'organizations.active'])
    .where('api_keys.hash', '=', hashApiKey(key))
    .executeTakeFirst();
  return (
    row && {
      organizationId: row.organization_id,
      active: row.active === 1,
      environment: row.environment,
      scopes: JSON.parse(row.scopes) as ApiCaller['scopes'],
    }
  );
}
