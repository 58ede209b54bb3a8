import type { Store } from '../store/store.ts';
import type { Trunks } from './trunks.ts';

/** An organization's telephony settings as routing asks for them: SIP, its numbers and its connections. */
export async function readRoutingSettings(store: Store, trunks: Trunks, organizationId: string) {
  const [numbers, connections] = await Promise.all([
    store.db
      .selectFrom('numbers')
      .select(['phone_number', 'active', 'carrier'])
      .where('organization_id', '=', organizationId)
      .execute(),
    store.db
      .selectFrom('connections')
      .select(['id', 'active', 'is_default', 'provider', 'status'])
      .where('organization_id', '=', organizationId)
      .execute(),
  ]);
  return {
    sipEnabled: trunks.ofOrganization(organizationId)?.sipEnabled ?? false,
    numbers: numbers.map(({ phone_number, active, carrier }) => ({
      phoneNumber: phone_number,
      active: active === 1,
      provider: carrier,
    })),
    connections: connections.map(({ id, active, is_default, provider, status }) => ({
      id,
      // One that its carrier refuses is invalid, whatever it was set to.
      active: active === 1 && status !== 'rejected',
      isDefault: is_default === 1,
      provider,
    })),
  };
}
