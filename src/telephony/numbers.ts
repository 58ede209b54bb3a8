import { ApiError } from '../errors.ts';
import { newNumberId } from '../ids.ts';
import type { Carrier } from '../providers.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { NumberRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';

export type { NumberRow } from '../store/schema.ts';

/** A number that the operator has to sell; `telephony.inventory` in the configuration. */
export interface InventoryNumber {
  /** E.164. */
  phone_number: string;
  carrier: Carrier;
}

/** The managed numbers: what the operator has to sell, and what each organization has bought (contract §3). */
export class Numbers {
  readonly #store: Store;
  readonly #inventory: ReadonlyMap<string, InventoryNumber>;
  readonly #now: () => number;

  constructor(store: Store, inventory: readonly InventoryNumber[], now: () => number) {
    this.#store = store;
    this.#inventory = new Map(inventory.map((number) => [number.phone_number, number]));
    this.#now = now;
  }

  /** The inventory, less what any organization has. */
  async available(): Promise<InventoryNumber[]> {
    const sold = await this.#store.db.selectFrom('numbers').select('phone_number').execute();
    const taken = new Set(sold.map((row) => row.phone_number));
    return [...this.#inventory.values()].filter(({ phone_number }) => !taken.has(phone_number));
  }

  /**
   * Buys a number, active at once. Of several buyers at the same time one gets it: the store keeps each number once.
   * @throws ApiError `phone_number_not_available`, the same whether it was sold or was never there
   */
  async buy(organizationId: string, phoneNumber: string): Promise<NumberRow> {
    const offered = this.#inventory.get(phoneNumber);
    if (offered === undefined) throw new ApiError('phone_number_not_available', { param: 'phone_number' });
    const row: NumberRow = {
      id: newNumberId(),
      organization_id: organizationId,
      phone_number: phoneNumber,
      carrier: offered.carrier,
      active: 1,
      created_at: this.#now(),
      session_defaults: null,
    };
    const bought = await this.#store.write((transaction) =>
      transaction
        .insertInto('numbers')
        .values(row)
        .onConflict((conflict) => conflict.column('phone_number').doNothing())
        .returning('id')
        .executeTakeFirst(),
    );
    if (bought === undefined) throw new ApiError('phone_number_not_available', { param: 'phone_number' });
    return row;
  }

  /** An organization's numbers, oldest first. */
  ofOrganization(organizationId: string): Promise<NumberRow[]> {
    return this.#store.db
      .selectFrom('numbers')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .orderBy('id')
      .execute();
  }

  /** @throws ApiError `number_not_found` */
  setActive(organizationId: string, id: string, active: boolean): Promise<NumberRow> {
    return this.#change(organizationId, id, { active: active ? 1 : 0 });
  }

  /** @param defaults of the sessions of its calls; null = the organization's. @throws ApiError `number_not_found` */
  setDefaults(organizationId: string, id: string, defaults: SessionDefaults | null): Promise<NumberRow> {
    return this.#change(organizationId, id, { session_defaults: defaults && JSON.stringify(defaults) });
  }

  async #change(organizationId: string, id: string, change: Partial<NumberRow>): Promise<NumberRow> {
    const row = await this.#store.write((transaction) =>
      transaction
        .updateTable('numbers')
        .set(change)
        .where('id', '=', id)
        .where('organization_id', '=', organizationId)
        .returningAll()
        .executeTakeFirst(),
    );
    if (row === undefined) throw new ApiError('number_not_found');
    return row;
  }

  /** Gives a number back; if the operator still has it in the inventory, it can be bought again. @throws ApiError `number_not_found` */
  async release(organizationId: string, id: string): Promise<void> {
    const row = await this.#store.write((transaction) =>
      transaction
        .deleteFrom('numbers')
        .where('id', '=', id)
        .where('organization_id', '=', organizationId)
        .returning('id')
        .executeTakeFirst(),
    );
    if (row === undefined) throw new ApiError('number_not_found');
  }
}
