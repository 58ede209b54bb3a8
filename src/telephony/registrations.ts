import { forUpdate } from '../store/claims.ts';
import type { Store } from '../store/store.ts';

interface Binding {
  contact: string;
  /** Wall clock, ms. */
  expiresAt: number;
}

/** A Contact that is registered; times are wall clock, ms. */
export interface Registration extends Binding {
  organizationId: string;
  aor: string;
  sourceAddress: string;
  registeredAt: number;
}

/** The registrations of PBXs, kept for the operator to see. */
export class Registrations {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Replaces the bindings of one address of record by what `change` makes of them; those that expired go too. */
  update(
    { organizationId, aor, sourceAddress }: { organizationId: string; aor: string; sourceAddress: string },
    change: (current: Binding[]) => Binding[],
  ): Promise<void> {
    const now = this.#now();
    return this.#store.write(async (transaction) => {
      await forUpdate(
        transaction.selectFrom('organizations').select('id').where('id', '=', organizationId),
      ).execute();
      const rows = await transaction
        .selectFrom('registrations')
        .select(['contact', 'expires_at'])
        .where('organization_id', '=', organizationId)
        .where('aor', '=', aor)
        .execute();
      const bindings = change(rows.map((row) => ({ contact: row.contact, expiresAt: row.expires_at })));
      await transaction
        .deleteFrom('registrations')
        .where((where) =>
          where.or([
            where('expires_at', '<', now),
            where.and([where('organization_id', '=', organizationId), where('aor', '=', aor)]),
          ]),
        )
        .execute();
      for (const { contact, expiresAt } of bindings) {
        await transaction
          .insertInto('registrations')
          .values({
            organization_id: organizationId,
            aor,
            contact,
            source_address: sourceAddress,
            expires_at: expiresAt,
            updated_at: now,
          })
          .execute();
      }
    });
  }

  /** Those in force, the latest first. @param most of them */
  async list(most: number): Promise<Registration[]> {
    const rows = await this.#store.db
      .selectFrom('registrations')
      .selectAll()
      .where('expires_at', '>', this.#now())
      .orderBy('updated_at', 'desc')
      .orderBy('id', 'desc')
      .limit(most)
      .execute();
    return rows.map((row) => ({
      organizationId: row.organization_id,
      aor: row.aor,
      contact: row.contact,
      sourceAddress: row.source_address,
      registeredAt: row.updated_at,
      expiresAt: row.expires_at,
    }));
  }
}
