import { afterEach, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import type { TestPhone } from '../support/test-phone.ts';

describe('the life of calls and sessions', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(options: Parameters<typeof TestGateway.start>[0] = {}): Promise<TestGateway> {
    const gateway = await TestGateway.start(options);
    running.push(gateway);
    return gateway;
  }
  async function phone(gateway: TestGateway): Promise<TestPhone> {
    const made = await gateway.phone();
    running.push(made);
    return made;
  }

  test('ending a session over REST hangs up its call with a reason, and ending it again gives the same summary', async () => {
    const gateway = await start();
    const id = await gateway.session();
    const call = await (await phone(gateway)).call(gateway.uri(id));
    await eventually(
      'audio has started',
      async () => (await gateway.rest('GET', `/v1/sessions/${id}`)).body.status === 'active',
    );
    const first = await gateway.rest('POST', `/v1/sessions/${id}/end`);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ id, object: 'session', status: 'ended' });
    expect(first.body.duration_seconds).toBeGreaterThan(0);
    const ended = await call.ended;
    expect(ended.by).toBe('remote');
    expect(ended.reasonHeader).toMatch(/^Q\.850;cause=16;text="session_ended: /);
    expect((await gateway.rest('POST', `/v1/sessions/${id}/end`)).body).toEqual(first.body);
  });

  test('a session of two parties waits for its caller to come back, then it ends as of when the last one left', async () => {
    const gateway = await start({ settings: { session: { rejoin_seconds: 2 } } });
    const id = await gateway.session();
    const caller = await phone(gateway);
    const first = await caller.call(gateway.uri(id));
    await eventually(
      'audio has started',
      async () => (await gateway.rest('GET', `/v1/sessions/${id}`)).body.status === 'active',
    );
    await first.bye();
    const again = await caller.call(gateway.uri(id));
    expect(again.status).toBe(200);
    await again.bye();
    const leftAt = Date.now();
    await eventually(
      'the session has ended',
      async () => (await gateway.rest('GET', `/v1/sessions/${id}`)).body.status === 'ended',
    );
    const { body } = await gateway.rest('GET', `/v1/sessions/${id}`);
    expect(Date.parse(body.ended_at) - leftAt).toBeLessThan(1000);
    const late = await caller.call(gateway.uri(id));
    expect(late.status).toBe(410);
  });

  test('a session with one leg ends when that hangs up', async () => {
    const gateway = await start();
    const id = await gateway.session({ mode: 'ai_agent', ai_agent: { system_prompt: 'Be kind.' } });
    const call = await (await phone(gateway)).call(gateway.uri(id));
    await call.bye();
    await eventually(
      'the session has ended',
      async () => (await gateway.rest('GET', `/v1/sessions/${id}`)).body.status === 'ended',
    );
  });

  test('a call that is canceled while the pipeline is not ready is gone at once, and its role is free', async () => {
    const pipeline = await FakePipeline.start({ readyAfterMs: 'never' });
    running.push({ stop: () => pipeline.close() });
    const gateway = await start({ settings: { pipeline: { url: pipeline.url } } });
    const id = await gateway.session();
    const caller = await phone(gateway);
    const canceled = await caller.call(gateway.uri(id), { cancelAfterMs: 500 });
    expect(canceled.status).toBe(487);
    expect(canceled.provisional.map((one) => one.status)).toContain(180);
    await eventually('nothing is left of it', async () => {
      const series = ['kallglot_calls_active', 'kallglot_sessions_live', 'kallglot_pipeline_links'];
      const values = await Promise.all(series.map((one) => gateway.metric(one)));
      return values.every((value) => value === 0) && pipeline.openSockets === 0;
    });
    expect(await gateway.metric('kallglot_ends_total{reason="canceled"}')).toBe(1);
  });

  test.each([
    ['of two parties with hangup', 'bidirectional_translation', 'hangup'],
    ['of one party', 'ai_agent', 'passthrough'],
  ])(
    'a pipeline that is not ready within 5 s refuses the call %s with 480 and Retry-After',
    async (_, mode, on_failure) => {
      const pipeline = await FakePipeline.start({ readyAfterMs: 'never' });
      running.push({ stop: () => pipeline.close() });
      const gateway = await start({ settings: { pipeline: { url: pipeline.url, on_failure } } });
      const refused = await (await phone(gateway)).call(gateway.uri(await gateway.session({ mode })));
      expect(refused.status).toBe(480);
      expect(refused.headers.get('retry-after')).toBeDefined();
      expect(refused.headers.get('x-kallglot-error')).toBe('pipeline_unavailable');
    },
  );

  test('with hangup a pipeline that is lost ends the call with BYE and pipeline_failed, and the next call works', async () => {
    const pipeline = await FakePipeline.start();
    running.push({ stop: () => pipeline.close() });
    const gateway = await start({
      settings: { pipeline: { url: pipeline.url, reconnect_seconds: 0, on_failure: 'hangup' } },
    });
    const id = await gateway.session();
    const caller = await phone(gateway);
    const call = await caller.call(gateway.uri(id));
    expect(call.status).toBe(200);
    for (const connection of pipeline.connections) connection.reset();
    expect((await call.ended).reasonHeader).toMatch(/text="pipeline_failed: /);
    const next = await caller.call(gateway.uri(id));
    expect(next.status).toBe(200);
    await next.bye();
  });

  test('a call without RTP is hung up after the media timeout', async () => {
    const gateway = await start({
      settings: { media: { address: '127.0.0.1', ports: '25000-25099', timeout_seconds: 1 } },
    });
    const call = await (await phone(gateway)).call(gateway.uri(await gateway.session()));
    call.media.mute();
    expect((await call.ended).reasonHeader).toMatch(/text="media_timeout: /);
  });

  test('an answer that is never acknowledged ends the call with ack_timeout', {
    timeout: 60_000,
  }, async () => {
    const gateway = await start();
    const call = await (await phone(gateway)).call(gateway.uri(await gateway.session()), {
      withholdAck: true,
    });
    expect(call.status).toBe(200);
    expect((await call.ended).by).toBe('remote');
    await eventually(
      'the end is counted',
      async () => (await gateway.metric('kallglot_ends_total{reason="ack_timeout"}')) === 1,
    );
  });

  test('stopping hangs up live calls with a reason, and ends their sessions', async () => {
    const gateway = await start();
    const id = await gateway.session();
    const call = await (await phone(gateway)).call(gateway.uri(id));
    await gateway.stop({ keepStore: true });
    expect((await call.ended).reasonHeader).toMatch(/text="drained: /);
    const again = await start({ folder: gateway.folder });
    expect((await again.rest('GET', `/v1/sessions/${id}`)).body.status).toBe('ended');
  });

  test('an organization that is taken out of the configuration is disabled, and its sessions with it', async () => {
    const gateway = await start();
    const id = await gateway.session();
    await gateway.stop({ keepStore: true });
    const other = { id: 'other', name: 'Other', api_keys: ['sk_test_other_0123456789'] };
    const again = await start({ folder: gateway.folder, organizations: [other] });
    const asked = await again.rest('GET', `/v1/sessions/${id}`);
    expect([asked.status, asked.body.error.code]).toEqual([403, 'organization_inactive']);
    const refused = await (await phone(again)).call(again.uri(id));
    expect([refused.status, refused.headers.get('x-kallglot-error')]).toEqual([403, 'organization_inactive']);
  });
});
