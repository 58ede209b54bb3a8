import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { SipSettings } from '../../src/telephony/sip-settings.ts';
import { Trunks } from '../../src/telephony/trunks.ts';
import { openTelephonyStore } from '../support/api-organizations.ts';

const realm = 'sip.kallglot.com';

describe('SIP settings', () => {
  let store: Store;
  let trunks: Trunks;
  let settings: SipSettings;
  beforeEach(async () => {
    store = await openTelephonyStore();
    trunks = new Trunks(store);
    await trunks.reload();
    settings = new SipSettings({ store, trunks, realm });
  });
  afterEach(() => store.close());

  const allow = (cidr: string, confirmed = false, note: string | null = null) =>
    settings.allow('acme', { cidr, note, confirmed });

  test('are enabled with a username of its own and a password that is kept as hashes', async () => {
    const { row, password } = await settings.enable('acme');
    const other = await settings.enable('other');
    expect(other.row.sip_username).not.toBe(row.sip_username);
    expect(password).toMatch(/^[A-Za-z0-9_-]{24}$/);
    expect(JSON.stringify(await store.db.selectFrom('organizations').selectAll().execute())).not.toContain(
      password,
    );
    const md5 = createHash('md5').update(`${row.sip_username}:${realm}:${password}`).digest('hex');
    const trunk = trunks.ofUsername(row.sip_username as string);
    expect(trunk).toMatchObject({
      organizationId: 'acme',
      sipEnabled: true,
      credentials: { ha1: { MD5: md5 } },
    });
  });

  test('show no password a second time, but make a new one on request', async () => {
    const { row, password } = await settings.enable('acme');
    expect((await settings.enable('acme')).password).toBeNull();
    const again = await settings.regenerate('acme');
    expect(again.row.sip_username).toBe(row.sip_username);
    expect(again.password).not.toBe(password);
    expect(again.row.sip_credentials).not.toBe(row.sip_credentials);
  });

  test('change what is named, and nothing else', async () => {
    await settings.update('acme', { concurrency_limit: 7, inbound_first: true, media_timeout_seconds: 20 });
    await settings.update('acme', { srtp: 'required' });
    await settings.update('acme', { require_digest: true, session_defaults: { mode: 'ai_agent' } });
    expect(trunks.ofOrganization('acme')).toMatchObject({
      sipEnabled: false,
      requireDigest: true,
      concurrencyLimit: 7,
      mediaTimeoutSeconds: 20,
      inboundFirst: true,
      sessionDefaults: { mode: 'ai_agent' },
      srtp: 'required',
    });
    await settings.update('acme', { tls_required: true, tls_certificates: ['PBX.acme.example'] });
    await settings.update('acme', { concurrency_limit: 8 });
    expect(trunks.ofOrganization('acme')).toMatchObject({
      tlsRequired: true,
      tlsCertificates: ['pbx.acme.example'],
    });
    await settings.update('acme', { codecs: ['opus', 'PCMA'] });
    await settings.update('acme', { concurrency_limit: 9 });
    expect(trunks.ofOrganization('acme')?.codecs).toEqual(['opus', 'PCMA']);
    await settings.update('acme', { codecs: null });
    expect(trunks.ofOrganization('acme')?.codecs).toBeNull();
    await settings.update('acme', { media_timeout_seconds: null, session_defaults: null });
    expect(trunks.ofOrganization('acme')).toMatchObject({ mediaTimeoutSeconds: null, sessionDefaults: {} });
  });

  test('have an allowlist that knows a network in every spelling', async () => {
    await allow('192.0.2.7/24', false, 'Berlin');
    await allow('2001:DB8::1');
    await allow('192.0.2.0/24', false, 'Berlin, new');
    expect(trunks.ofOrganization('acme')?.allowedIps).toEqual(['2001:db8::1', '192.0.2.0/24']);
    await settings.disallow('acme', '2001:0db8:0::1');
    expect(JSON.parse((await settings.find('acme')).sip_allowed_ips)).toEqual([
      { cidr: '192.0.2.0/24', note: 'Berlin, new' },
    ]);
    await expect(settings.disallow('acme', '198.51.100.1')).rejects.toMatchObject({
      code: 'allowed_ip_not_found',
    });
  });

  test('take a very wide network only when it is confirmed', async () => {
    for (const cidr of ['0.0.0.0/0', '10.0.0.0/7', '::/0', '2000::/15', '::ffff:0.0.0.0/96'])
      await expect(allow(cidr)).rejects.toMatchObject({ code: 'confirmation_required' });
    for (const cidr of ['10.0.0.0/8', '2001::/16']) await allow(cidr);
    await allow('0.0.0.0/0', true);
    expect(trunks.ofOrganization('acme')?.allowedIps).toContain('0.0.0.0/0');
    await expect(allow('nonsense')).rejects.toMatchObject({ code: 'invalid_request', param: 'cidr' });
  });

  test('lose no entry when many are added at once', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => allow(`192.0.2.${i}`)));
    expect(trunks.ofOrganization('acme')?.allowedIps).toHaveLength(50);
  });

  test('have an end', async () => {
    const full = Array.from({ length: 1000 }, (_, i) => ({ cidr: `10.0.${i >> 8}.${i & 255}`, note: null }));
    await store.db
      .updateTable('organizations')
      .set({ sip_allowed_ips: JSON.stringify(full) })
      .execute();
    await expect(allow('192.0.2.1')).rejects.toMatchObject({ code: 'invalid_request' });
    await allow('10.0.0.1', false, 'known already');
  });

  test('of the configuration file are not changed here', async () => {
    await store.db
      .updateTable('organizations')
      .set({ managed_by: 'config' })
      .where('id', '=', 'acme')
      .execute();
    const before = await settings.find('acme');
    const attempts = [
      () => settings.update('acme', { enabled: true }),
      () => settings.enable('acme'),
      () => settings.regenerate('acme'),
      () => allow('192.0.2.1'),
      () => settings.disallow('acme', '192.0.2.1'),
    ];
    for (const attempt of attempts)
      await expect(attempt()).rejects.toMatchObject({ code: 'managed_by_config' });
    expect(await settings.find('acme')).toEqual(before);
  });
});

describe('trunks', () => {
  test('follow what another node changes, and their version rises only then', async () => {
    const store = await openTelephonyStore();
    const trunks = new Trunks(store);
    await trunks.reload();
    const { version } = trunks;
    await trunks.reload();
    expect(trunks.version).toBe(version);
    vi.useFakeTimers();
    const failed = vi.fn();
    const stop = trunks.follow(3000, failed);
    await store.db.updateTable('organizations').set({ sip_enabled: 1 }).execute();
    expect(trunks.ofOrganization('acme')?.sipEnabled).toBe(false);
    await vi.advanceTimersByTimeAsync(3000);
    expect(trunks.ofOrganization('acme')?.sipEnabled).toBe(true);
    expect(trunks.version).toBe(version + 1);
    stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    expect(failed).not.toHaveBeenCalled();
    await store.close();
  });

  test('know the allowlists that were kept before entries had notes', async () => {
    const store = await openTelephonyStore();
    const trunks = new Trunks(store);
    const sip_allowed_ips = '["192.0.2.1",{"cidr":"192.0.2.2","note":"x"}]';
    await store.db.updateTable('organizations').set({ sip_allowed_ips }).execute();
    await trunks.reload();
    expect(trunks.ofOrganization('acme')?.allowedIps).toEqual(['192.0.2.1', '192.0.2.2']);
    await store.close();
  });

  test('show a change to whoever asked for a reload after it, while another one runs', async () => {
    const store = await openTelephonyStore();
    const trunks = new Trunks(store);
    const earlier = trunks.reload();
    await store.db.updateTable('organizations').set({ sip_enabled: 1 }).execute();
    await Promise.all([trunks.reload(), trunks.reload()]);
    expect(trunks.ofOrganization('acme')?.sipEnabled).toBe(true);
    await earlier;
    expect(trunks.ofOrganization('acme')?.sipEnabled).toBe(true);
    await store.close();
  });
});
