import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, TestGateway } from '../support/gateway.ts';
import { type HepPacket, readHep } from '../support/hep-packet.ts';
import type { TestPhone } from '../support/test-phone.ts';

/** Calls with its password. */
const open = {
  id: 'open',
  name: 'Open',
  api_keys: ['sk_test_open_0123456789'],
  sip: { username: 'open', password: 'open-password' },
};

describe('the SIP messages of a call', () => {
  let gateway: TestGateway;
  let phone: TestPhone;
  const homer = createSocket('udp4');
  const copies: HepPacket[] = [];

  beforeAll(async () => {
    homer.on('message', (bytes) => copies.push(readHep(bytes)));
    homer.bind(0, '127.0.0.1');
    await once(homer, 'listening');
    const hep = { host: '127.0.0.1', port: homer.address().port, capture_id: 77, password: 'homer' };
    gateway = await TestGateway.start({ settings: { sip: { hep } }, organizations: [open] });
    phone = await gateway.phone({ username: 'open', password: 'open-password' });
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
    homer.close();
  });

  const trace = (id: string) => gateway.rest('GET', `/v1/admin/calls/${encodeURIComponent(id)}/sip`);
  const statusOf = async (id: string) => (await trace(id)).status;
  /** `--> INVITE`, `<-- 401`, … of the lines in front of the messages; whether there is a 180 depends on the machine. */
  const ladder = (text: string): string[] =>
    [...text.matchAll(/^ +\d+ +\+\d+\.\d{3} .*? (-->|<--) .*? {2}(?:udp|tcp) {2}(\S+)/gm)]
      .map(([, arrow, what]) => `${arrow} ${what}`)
      .filter((line) => line !== '<-- 180');

  test('are read by the operator while it is up and afterwards, by leg and by Call-ID, without secrets', async () => {
    const id = await gateway.session({}, open.api_keys[0]);
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    const { body } = await gateway.rest('GET', `/v1/sessions/${id}/calls`, undefined, open.api_keys[0]);
    const [{ id: leg, sip_call_id: callId }] = body.data;
    await eventually('the ACK is there', async () => ladder((await trace(leg)).body).at(-1) === '--> ACK');
    await call.bye();
    await eventually('the record of the leg is kept', async () => {
      const calls = await gateway.rest('GET', `/v1/sessions/${id}/calls`, undefined, open.api_keys[0]);
      return calls.body.data[0].status === 'ended';
    });
    const ended = await trace(leg);
    expect(ended.status).toBe(200);
    expect(ended.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    // Over UDP some may be there twice; over TCP, below, each is there once.
    const all = ['--> INVITE', '<-- 100', '<-- 401', '--> ACK', '<-- 200', '--> BYE'];
    expect([...new Set(ladder(ended.body))]).toEqual(all);
    expect(ended.body).toContain(`Call-ID: ${callId}\n`);
    const used = /response="([0-9a-f]{32})"/.exec(call.invite?.headers.get('authorization') ?? '')?.[1];
    expect(used).toMatch(/^[0-9a-f]{32}$/);
    expect(ended.body).not.toContain(used);
    expect(ended.body).toContain('response="***"');
    expect((await trace(callId)).body).toBe(ended.body);
    await eventually('the last copy has come', () => copies.at(-1)?.payload.includes('CSeq: 3 BYE') ?? false);
    const copied = copies.filter(({ payload }) => payload.includes(`Call-ID: ${callId}\r\n`));
    expect(copied.map(({ payload }) => payload.split(' ')[0])).toEqual(
      expect.arrayContaining(['INVITE', 'SIP/2.0', 'ACK', 'BYE']),
    );
    expect(copied.every(({ captureId, password }) => captureId === 77 && password === 'homer')).toBe(true);
    expect(copied.some(({ payload }) => payload.includes(used as string))).toBe(false);
  });

  test('over TCP are kept as well', async () => {
    const caller = await gateway.phone({ username: 'open', password: 'open-password', transport: 'tcp' });
    const id = await gateway.session({}, open.api_keys[0]);
    const call = await caller.call(gateway.uri(id, { transport: 'tcp' }));
    expect(call.status).toBe(200);
    await call.bye();
    const { body } = await trace(call.invite?.headers.get('call-id') as string);
    expect(ladder(body)).toEqual([
      '--> INVITE',
      '<-- 100',
      '<-- 401',
      '--> ACK',
      '--> INVITE',
      '<-- 100',
      '<-- 200',
      '--> ACK',
      '--> BYE',
      '<-- 200',
    ]);
    await caller.stop();
  });

  test('of a call that nobody knows are 404', async () => {
    expect(await statusOf('leg_01ARZ3NDEKTSV4RRFFQ69G5FAV')).toBe(404);
    expect((await trace('no/such@call')).body.error.code).toBe('call_not_found');
  });
});
