import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, TestGateway } from '../support/gateway.ts';
import type { TestPhone } from '../support/test-phone.ts';

describe('POST /v1/sessions/{id}/hangup', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start();
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function twoLegs() {
    const id = await gateway.session();
    const calls = [];
    for (const role of ['customer', 'agent']) {
      const phone = await gateway.phone();
      phones.push(phone);
      const call = await phone.call(gateway.uri(id, { role }));
      expect(call.status).toBe(200);
      calls.push(call);
    }
    const [customer, agent] = calls as [(typeof calls)[number], (typeof calls)[number]];
    return { id, customer, agent };
  }
  const hangUp = (id: string, body?: object) => gateway.rest('POST', `/v1/sessions/${id}/hangup`, body);
  const callsOf = async (id: string): Promise<{ role: string; status: string; reason: string | null }[]> =>
    (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data;

  test('sends BYE to one leg, with its reason, and leaves the other alone', async () => {
    const { id, customer, agent } = await twoLegs();
    expect((await callsOf(id)).map(({ role, status }) => [role, status])).toEqual([
      ['customer', 'up'],
      ['agent', 'up'],
    ]);
    const answer = await hangUp(id, { role: 'agent' });
    expect([answer.status, answer.body.data.length]).toEqual([200, 1]);
    expect(answer.body.data[0]).toMatchObject({ role: 'agent', status: 'ended', reason: 'hangup' });
    await agent.ended;
    await eventually('the record of the leg is kept', async () => (await callsOf(id)).length === 2);
    expect((await callsOf(id)).map(({ role, status, reason }) => [role, status, reason])).toEqual([
      ['agent', 'ended', 'hangup'],
      ['customer', 'up', null],
    ]);
    await customer.bye();
  });

  test('sends BYE to all, and the session may be called again', async () => {
    const { id, customer, agent } = await twoLegs();
    expect((await hangUp(id)).body.data).toHaveLength(2);
    await Promise.all([customer.ended, agent.ended]);
    const again = await (phones[0] as TestPhone).call(gateway.uri(id));
    expect(again.status).toBe(200);
    expect((await gateway.rest('POST', `/v1/sessions/${id}/end`)).status).toBe(200);
    const late = await hangUp(id);
    expect([late.status, late.body.error.code]).toEqual([409, 'session_ended']);
    await again.ended;
  });
});
