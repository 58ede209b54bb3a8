import type { Transaction } from 'kysely';
import { ApiError } from '../errors.ts';
import type { OrganizationRow, Schema } from '../store/schema.ts';

/**
 * An organization, held until the transaction's end, so that changes of its settings come one after the other on every
 * node: the update that changes nothing takes the row's lock in both databases.
 */
export async function lockOrganization(
  transaction: Transaction<Schema>,
  id: string,
): Promise<OrganizationRow> {
  return await transaction
    .updateTable('organizations')
    .set((row) => ({ name: row.ref('name') }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @throws ApiError `managed_by_config` when the configuration file owns the organization (decisions §7) */
export function assertManagedByApi({ managed_by }: OrganizationRow): void {
  if (managed_by === 'config') throw new ApiError('managed_by_config');
}
