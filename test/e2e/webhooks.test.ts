import { afterEach, describe, expect, test } from 'vitest';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { isSigned, Receiver } from '../webhooks/receiver.ts';

describe('the webhooks of a call', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(settings: Record<string, Record<string, unknown>> = {}) {
    const receiver = await Receiver.start();
    running.push(receiver);
    const gateway = await TestGateway.start({ settings: { webhooks: { allow_private: true }, ...settings } });
    running.push(gateway);
    const made = await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
    expect(made.status).toBe(201);
    return { gateway, receiver, webhook: made.body };
  }

  test('from create to end arrive in order, signed, and with what they tell of', async () => {
    const { gateway, receiver, webhook } = await start({ session: { rejoin_seconds: 1 } });
    const phone = await gateway.phone();
    running.push(phone);
    const id = await gateway.session({ metadata: { ticket: 42 } });
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    await eventually('it has started', async () => {
      const { body } = await gateway.rest('GET', `/v1/sessions/${id}`);
      return body.status === 'active';
    });
    await call.bye();
    await eventually('all have arrived', () => receiver.types().includes('session.ended'));

    const seen = receiver.types();
    expect(seen[0]).toBe('session.created');
    expect(seen.slice(1, 3).sort()).toEqual(['session.provider.connected', 'session.started']);
    expect(seen.slice(3)).toEqual(['session.provider.disconnected', 'session.ended']);
    const data = Object.fromEntries(receiver.received.map(({ body }) => [body.type, body.data]));
    expect(data['session.created']).toMatchObject({
      id,
      object: 'session',
      status: 'created',
      metadata: { ticket: 42 },
    });
    expect(data['session.started']).toMatchObject({ id, status: 'active', started_at: expect.any(String) });
    const leg = { role: 'customer', sip_call_id: expect.any(String), transport: 'udp', codec: 'PCMU' };
    expect(data['session.provider.connected']).toMatchObject({ session_id: id, provider: 'sip', leg });
    expect(data['session.provider.disconnected']).toMatchObject({
      session_id: id,
      leg,
      reason: 'hangup',
      duration_seconds: expect.any(Number),
      quality: { packets_received: expect.any(Number), packets_lost: 0 },
    });
    expect(data['session.ended']).toMatchObject({
      id,
      status: 'ended',
      reason: 'completed',
      duration_seconds: expect.any(Number),
    });
    expect(receiver.received.every((one) => isSigned(one, webhook.secret))).toBe(true);
    await eventually('all are kept as delivered', async () => {
      const { body } = await gateway.rest('GET', `/v1/webhooks/${webhook.id}/deliveries?status=delivered`);
      return body.data.length === 5;
    });
    expect(await gateway.metric('kallglot_webhook_backlog')).toBe(0);
    expect(await gateway.metric('kallglot_webhook_attempts_total{outcome="delivered"}')).toBe(5);
  });

  test('a test event arrives whatever was chosen, and what fails is tried again after a restart', async () => {
    const { gateway, receiver, webhook } = await start();
    const tested = await gateway.rest('POST', `/v1/webhooks/${webhook.id}/test`);
    expect(tested.status).toBe(202);
    await receiver.count(1);
    expect(receiver.received[0]?.body).toMatchObject({
      type: 'webhook.test',
      data: { webhook_id: webhook.id },
    });
    expect(receiver.received[0]?.headers['kallglot-webhook-id']).toBe(tested.body.id);

    receiver.answer = () => undefined;
    await gateway.session();
    await receiver.count(2);
    await gateway.stop({ keepStore: true });
    receiver.answer = (response) => response.writeHead(200).end();
    const again = await TestGateway.start({
      folder: gateway.folder,
      organizations: [acme],
      settings: { webhooks: { allow_private: true } },
    });
    running.push(again);
    await receiver.count(3);
    expect(receiver.received[2]?.raw).toBe(receiver.received[1]?.raw);
  });
});
