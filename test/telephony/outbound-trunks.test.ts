import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { Sealer } from '../../src/sealing.ts';
import type { Store } from '../../src/store/store.ts';
import { importOrganizations } from '../../src/telephony/configured-organizations.ts';
import { type NewOutbound, OutboundTrunks } from '../../src/telephony/outbound-trunks.ts';
import { openTelephonyStore } from '../support/api-organizations.ts';

const settings: NewOutbound = {
  ...{ enabled: true, host: 'sip.carrier.example', transport: 'udp', username: 'acme', password: 'hunter-2' },
  ...{ caller_id: '+14155550100', allowed_numbers: ['+49'], allowed_domains: ['pbx.example.com'] },
};
const { password: _, ...withoutPassword } = settings;

describe('the outbound settings of an organization', () => {
  let store: Store;
  let trunks: OutboundTrunks;
  beforeEach(async () => {
    store = await openTelephonyStore();
    trunks = new OutboundTrunks({ store, sealer: new Sealer('a key of the operator') });
  });
  afterEach(() => store.close());

  const rows = () => store.db.selectFrom('outbound_trunks').selectAll().execute();
  const credentials = async () => (await trunks.policyOf('acme')).trunk?.credentials;

  test('allow nothing until they are made', async () => {
    const none = { trunk: null, callerId: null, allowedNumbers: [], allowedDomains: [] };
    expect(await trunks.policyOf('acme')).toEqual(none);
    await trunks.replace('acme', { ...settings, enabled: false });
    expect(await trunks.policyOf('acme')).toEqual(none);
  });

  test('are kept with a password that nobody can read', async () => {
    await trunks.replace('acme', settings);
    expect(JSON.stringify(await rows())).not.toContain('hunter-2');
    expect(await trunks.policyOf('acme')).toEqual({
      trunk: {
        ...{ host: 'sip.carrier.example', port: null, transport: 'udp' },
        credentials: { username: 'acme', password: 'hunter-2' },
      },
      callerId: '+14155550100',
      allowedNumbers: ['+49'],
      allowedDomains: ['pbx.example.com'],
    });
    expect((await trunks.policyOf('other')).trunk).toBeNull();
  });

  test('keep a password that is not given again, but not for another host or username', async () => {
    await trunks.replace('acme', settings);
    await trunks.replace('acme', { ...withoutPassword, allowed_numbers: ['+1'] });
    expect(await credentials()).toEqual({ username: 'acme', password: 'hunter-2' });
    for (const change of [{ host: 'evil.example' }, { username: 'other' }])
      await expect(trunks.replace('acme', { ...withoutPassword, ...change })).rejects.toMatchObject({
        code: 'invalid_request',
        param: 'password',
      });
    await trunks.replace('acme', { ...withoutPassword, username: undefined });
    expect(await credentials()).toBeNull();
    await expect(trunks.replace('acme', withoutPassword)).rejects.toMatchObject({ param: 'password' });
  });

  test.each([
    [{ ...withoutPassword, password: null }, 'password'],
    [{ ...settings, username: undefined }, 'username'],
    [{ ...settings, host: undefined }, 'host'],
    [{ ...withoutPassword, host: undefined, username: undefined, port: 5060 }, 'host'],
  ])('have to fit each other: %o', async (wrong, param) => {
    await expect(trunks.replace('acme', wrong)).rejects.toMatchObject({ code: 'invalid_request', param });
    expect(await rows()).toEqual([]);
  });

  test('take no password where there is no key, and say so when the key has changed', async () => {
    const keyless = new OutboundTrunks({ store, sealer: undefined });
    await expect(keyless.replace('acme', settings)).rejects.toMatchObject({ code: 'encryption_key_missing' });
    await trunks.replace('acme', settings);
    const rekeyed = new OutboundTrunks({ store, sealer: new Sealer('another key') });
    for (const reader of [keyless, rekeyed])
      await expect(reader.policyOf('acme')).rejects.toMatchObject({ code: 'encryption_key_missing' });
  });

  test('cannot be moved to another organization with their password', async () => {
    await trunks.replace('acme', settings);
    await store.db.updateTable('outbound_trunks').set({ organization_id: 'other' }).execute();
    await expect(trunks.policyOf('other')).rejects.toMatchObject({ code: 'encryption_key_missing' });
  });

  test('that are removed allow nothing', async () => {
    await trunks.replace('acme', settings);
    await trunks.remove('acme');
    expect((await trunks.policyOf('acme')).allowedDomains).toEqual([]);
  });
});

describe('the outbound settings in the configuration file', () => {
  const file = (outbound?: object) =>
    parseConfig({
      store: { encryption_key: 'a-key-of-the-operator' },
      organizations: [{ id: 'acme', name: 'Acme', sip: outbound && { outbound } }],
    }).organizations;
  const sealer = new Sealer('a-key-of-the-operator');

  test('are brought in, owned by it, and gone when it says no more of them', async () => {
    const store = await openTelephonyStore();
    const trunks = new OutboundTrunks({ store, sealer });
    const bring = (outbound?: object) =>
      importOrganizations(store, file(outbound), 'sip.kallglot.com', sealer);
    await bring({
      host: 'sip.carrier.example',
      username: 'acme',
      password: 'hunter-2',
      allowed_numbers: ['+49'],
    });
    expect(await trunks.policyOf('acme')).toMatchObject({
      trunk: { credentials: { username: 'acme', password: 'hunter-2' } },
      allowedNumbers: ['+49'],
    });
    expect((await trunks.find('acme')).managedBy).toBe('config');
    for (const change of [trunks.replace('acme', settings), trunks.remove('acme')])
      await expect(change).rejects.toMatchObject({ code: 'managed_by_config' });
    await bring();
    expect((await trunks.policyOf('acme')).trunk).toBeNull();
    await bring({ allowed_domains: ['pbx.example.com'] });
    await importOrganizations(store, [], 'sip.kallglot.com', sealer);
    expect((await trunks.policyOf('acme')).allowedDomains).toEqual([]);
    await store.close();
  });
});
