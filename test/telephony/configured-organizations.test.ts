import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { findApiCaller } from '../../src/telephony/api-keys.ts';
import { importOrganizations } from '../../src/telephony/configured-organizations.ts';
import { Trunks } from '../../src/telephony/trunks.ts';

const acme = {
  id: 'acme',
  name: 'Acme',
  api_keys: ['sk_test_acme_0123456789'],
  sip: { username: 'acme', password: 'long-enough' },
};
const beta = { id: 'beta', name: 'Beta', sip: { username: 'beta', password: 'also-enough' } };
const wanted = (...organizations: object[]) => parseConfig({ organizations }).organizations;

describe('the organizations of the configuration', () => {
  let store: Store;
  let trunks: Trunks;
  beforeEach(async () => {
    store = await openStore('sqlite::memory:', 0);
    trunks = new Trunks(store);
  });
  afterEach(() => store.close());

  async function bring(...organizations: object[]): Promise<void> {
    await importOrganizations(store, wanted(...organizations), 'sip.kallglot.com');
    await trunks.reload();
  }

  test('are there after the start, with keys and trunk', async () => {
    await bring(acme);
    expect(await findApiCaller(store, 'sk_test_acme_0123456789')).toEqual({
      organizationId: 'acme',
      active: true,
      environment: 'test',
      scopes: ['*'],
    });
    expect(trunks.ofUsername('acme')).toMatchObject({
      organizationId: 'acme',
      sipEnabled: true,
      requireDigest: false,
    });
  });

  test('are told of when they have changed, and only then', async () => {
    let changes = 0;
    trunks.onChange(() => {
      changes += 1;
    });
    await bring(acme);
    await bring(acme);
    expect(changes).toBe(1);
    await bring({ ...acme, sip: { ...acme.sip, allowed_ips: ['192.0.2.1'] } });
    expect(changes).toBe(2);
  });

  test('may have inbound-first, session defaults and a media time-out, and an allowlist without notes', async () => {
    const session_defaults = { mode: 'ai_agent', source_language: 'pt-BR', metadata: { site: 'b' } };
    const more = {
      inbound_first: true,
      srtp: 'optional' as const,
      session_defaults,
      media_timeout_seconds: 0,
      allowed_ips: ['192.0.2.1'],
    };
    await bring({ ...acme, sip: { ...acme.sip, ...more } });
    expect(trunks.ofOrganization('acme')).toMatchObject({
      inboundFirst: true,
      srtp: 'optional',
      sessionDefaults: session_defaults,
      mediaTimeoutSeconds: 0,
      allowedIps: ['192.0.2.1'],
    });
    const { sip_allowed_ips } = await store.db
      .selectFrom('organizations')
      .selectAll()
      .executeTakeFirstOrThrow();
    expect(JSON.parse(sip_allowed_ips)).toEqual([{ cidr: '192.0.2.1', note: null }]);
    await bring(acme);
    expect(trunks.ofOrganization('acme')).toMatchObject({
      inboundFirst: false,
      srtp: 'off',
      sessionDefaults: {},
      mediaTimeoutSeconds: null,
    });
  });

  test('may say what their calls speak', async () => {
    await bring({ ...acme, sip: { ...acme.sip, codecs: ['G722', 'PCMU'] } });
    expect(trunks.ofOrganization('acme')?.codecs).toEqual(['G722', 'PCMU']);
    await bring(acme);
    expect(trunks.ofOrganization('acme')?.codecs).toBeNull();
  });

  test('may ask for TLS and name certificates, in any spelling, each once', async () => {
    const print = 'AB:'.repeat(31).concat('CD');
    const tls_certificates = ['PBX.acme.example', print, print.replaceAll(':', '').toLowerCase()];
    await bring({ ...acme, sip: { ...acme.sip, tls_required: true, tls_certificates } });
    const wanted = ['pbx.acme.example', `${'ab'.repeat(31)}cd`];
    expect(trunks.ofOrganization('acme')).toMatchObject({ tlsRequired: true, tlsCertificates: wanted });
    await bring(acme);
    expect(trunks.ofOrganization('acme')).toMatchObject({ tlsRequired: false, tlsCertificates: [] });
  });

  test('keep no password, but an HA1 for each algorithm', async () => {
    await bring(acme);
    const rows = await store.db.selectFrom('organizations').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain('long-enough');
    const hash = (name: string) => createHash(name).update('acme:sip.kallglot.com:long-enough').digest('hex');
    expect(trunks.ofUsername('acme')?.credentials?.ha1).toEqual({
      MD5: hash('md5'),
      'SHA-256': hash('sha256'),
      'SHA-512-256': hash('sha512-256'),
    });
  });

  test('are changed at the next start, and disabled when they are gone from the file', async () => {
    await bring(acme, beta);
    await bring({ ...beta, name: 'Beta 2', sip: { ...beta.sip, concurrency_limit: 7 } });
    expect(trunks.ofOrganization('beta')?.concurrencyLimit).toBe(7);
    expect(trunks.ofOrganization('acme')).toMatchObject({ active: false, sipEnabled: false });
    expect(await findApiCaller(store, 'sk_test_acme_0123456789')).toMatchObject({ active: false });
  });

  test('may swap their usernames', async () => {
    await bring(acme, beta);
    await bring(
      { ...acme, sip: { ...acme.sip, username: 'beta' } },
      { ...beta, sip: { ...beta.sip, username: 'acme' } },
    );
    expect(trunks.ofUsername('beta')?.organizationId).toBe('acme');
    expect(trunks.ofUsername('acme')?.organizationId).toBe('beta');
  });

  test('get new credentials for a new realm, but others stop the start with a message', async () => {
    await bring(acme);
    await importOrganizations(store, wanted(acme), 'new.example.com');
    await store.db.updateTable('organizations').set({ managed_by: 'api' }).execute();
    await expect(importOrganizations(store, [], 'third.example.com')).rejects.toThrow(
      /acme were made for the realm "new\.example\.com", but sip\.realm is now "third\.example\.com"/,
    );
  });
});
