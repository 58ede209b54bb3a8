import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sealer } from '../../src/sealing.ts';
import type { Store } from '../../src/store/store.ts';
import { Carriers } from '../../src/telephony/carriers.ts';
import { Connections } from '../../src/telephony/connections.ts';
import { openTelephonyStore } from '../support/api-organizations.ts';
import { FakeCarrier } from '../support/fake-carrier.ts';

const sid = `AC${'0123456789abcdef'.repeat(2)}`;
const twilio = { provider: 'twilio' as const, account_sid: sid, auth_token: 'a-twilio-token' };
const telnyx = { provider: 'telnyx' as const, api_key: 'KEY0123456789' };

describe('connections', () => {
  let store: Store;
  let carrier: FakeCarrier;
  let carriers: Carriers;
  let connections: Connections;
  const sealedBy = (key: string | undefined) =>
    new Connections({
      store,
      sealer: key === undefined ? undefined : new Sealer(key),
      verify: (credentials) => carriers.verify(credentials),
      now: () => 1000,
    });

  beforeEach(async () => {
    store = await openTelephonyStore();
    carrier = await FakeCarrier.start();
    carriers = new Carriers({ twilioUrl: carrier.url, telnyxUrl: carrier.url, timeoutMs: 10_000 });
    connections = sealedBy('one-key');
  });
  afterEach(async () => {
    await carriers.close();
    await carrier.stop();
    await store.close();
  });

  test('are verified as each carrier wants it', async () => {
    expect(await connections.add('acme', twilio)).toMatchObject({ status: 'verified', account: sid });
    expect(await connections.add('acme', telnyx)).toMatchObject({ status: 'verified', account: null });
    const basic = Buffer.from(`${sid}:a-twilio-token`).toString('base64');
    expect(carrier.seen).toEqual([
      { path: `/2010-04-01/Accounts/${sid}.json`, authorization: `Basic ${basic}` },
      { path: '/v2/balance', authorization: 'Bearer KEY0123456789' },
    ]);
  });

  test.each([401, 403])('are refused, and not kept, when the carrier answers %d', async (status) => {
    carrier.status = status;
    await expect(connections.add('acme', telnyx)).rejects.toMatchObject({ code: 'connection_rejected' });
    expect(await connections.ofOrganization('acme')).toEqual([]);
  });

  test.each([500, 404, 302, 429])('are kept unverified when the carrier answers %d', async (status) => {
    carrier.status = status;
    expect(await connections.add('acme', telnyx)).toMatchObject({
      status: 'unverified',
      status_detail: `Telnyx answered ${status}.`,
    });
    expect(carrier.seen).toHaveLength(1);
  });

  test('are kept unverified with the reason when the carrier cannot be reached, until it can', async () => {
    const port = new URL(carrier.url).port;
    const gone = new Carriers({
      twilioUrl: 'http://127.0.0.1:1',
      telnyxUrl: carrier.url,
      timeoutMs: 10_000,
    });
    const [back, { url }] = [carriers, carrier];
    carriers = gone;
    const { id, status, status_detail } = await connections.add('acme', twilio);
    expect([status, status_detail]).toEqual([
      'unverified',
      expect.stringMatching(/^Twilio cannot be reached \([A-Z_]+\)\.$/),
    ]);
    carriers = back;
    expect(url).toContain(port);
    expect(await connections.verify('acme', id)).toMatchObject({ status: 'verified', status_detail: null });
    carrier.status = 401;
    expect(await connections.verify('acme', id)).toMatchObject({ status: 'rejected' });
    await gone.close();
  });

  test('are kept unverified when the carrier does not answer in time', async () => {
    carrier.status = 'never';
    await carriers.close();
    carriers = new Carriers({ twilioUrl: carrier.url, telnyxUrl: carrier.url, timeoutMs: 50 });
    expect(await connections.add('acme', telnyx)).toMatchObject({
      status: 'unverified',
      status_detail: 'Telnyx did not answer within 0.05 s.',
    });
  });

  test('keep their credentials sealed, each for its own row', async () => {
    const one = await connections.add('acme', twilio);
    const other = await connections.add('acme', telnyx);
    const rows = JSON.stringify(await store.db.selectFrom('connections').selectAll().execute());
    expect(rows).not.toMatch(/a-twilio-token|KEY0123456789/);
    expect(JSON.parse(new Sealer('one-key').open(one.credentials, one.id))).toEqual(twilio);
    expect(() => new Sealer('one-key').open(one.credentials, other.id)).toThrow();
  });

  test('need a key, and the same key later', async () => {
    const { id } = await connections.add('acme', twilio);
    for (const attempt of [sealedBy(undefined).add('acme', telnyx), sealedBy('another').verify('acme', id)])
      await expect(attempt).rejects.toMatchObject({ code: 'encryption_key_missing' });
    expect(carrier.seen).toHaveLength(1);
  });

  const defaults = async () =>
    (await connections.ofOrganization('acme')).filter((row) => row.is_default).map((row) => row.id);

  test('have one default: the first active one, until another is chosen', async () => {
    const [one, two] = [await connections.add('acme', twilio), await connections.add('acme', telnyx)];
    expect(await defaults()).toEqual([one.id]);
    await connections.makeDefault('acme', two.id);
    expect(await defaults()).toEqual([two.id]);
    await connections.setActive('acme', two.id, false);
    expect(await defaults()).toEqual([]);
    await expect(connections.makeDefault('acme', two.id)).rejects.toMatchObject({
      code: 'connection_inactive',
    });
    await connections.setActive('acme', two.id, true);
    expect(await defaults()).toEqual([two.id]);
    await connections.remove('acme', two.id);
    expect(await defaults()).toEqual([]);
    await connections.setActive('acme', one.id, true);
    expect(await defaults()).toEqual([one.id]);
  });

  test('that are added at once have one default', async () => {
    await Promise.all(Array.from({ length: 10 }, () => connections.add('acme', telnyx)));
    expect(await defaults()).toHaveLength(1);
    await connections.add('other', telnyx);
    expect(await connections.ofOrganization('other')).toMatchObject([{ is_default: 1 }]);
  });

  test('of another organization are not there', async () => {
    const { id } = await connections.add('acme', telnyx);
    const attempts = [
      () => connections.find('other', id),
      () => connections.verify('other', id),
      () => connections.makeDefault('other', id),
      () => connections.setActive('other', id, false),
      () => connections.remove('other', id),
    ];
    for (const attempt of attempts)
      await expect(attempt()).rejects.toMatchObject({ code: 'connection_not_found' });
    expect(await connections.find('acme', id)).toMatchObject({ active: 1, is_default: 1 });
  });
});
