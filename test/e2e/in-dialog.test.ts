import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { TestGateway } from '../support/gateway.ts';
import type { SipResponse } from '../support/sip-message.ts';
import type { TestPhone } from '../support/test-phone.ts';

describe('a call that has to ring', () => {
  let gateway: TestGateway;
  let pipeline: FakePipeline;
  let phone: TestPhone;

  beforeAll(async () => {
    pipeline = await FakePipeline.start({ readyAfterMs: 1500 });
    gateway = await TestGateway.start({ settings: { pipeline: { url: pipeline.url } } });
    phone = await gateway.phone();
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
    await pipeline.close();
  });

  /** Calls, acknowledges whatever is reliable, hangs up. */
  async function ring(headers: Record<string, string>) {
    const pracks: Promise<SipResponse>[] = [];
    const call = await phone.call(gateway.uri(await gateway.session()), {
      headers,
      onProvisional: (answer, made) => {
        if (answer.headers.get('rseq') !== undefined) pracks.push(made.prack(answer));
      },
    });
    expect(call.status).toBe(200);
    const acknowledged = await Promise.all(pracks);
    expect((await call.bye()).status).toBe(200);
    return { ringing: call.provisional.find(({ status }) => status === 180), acknowledged };
  }

  test('rings reliably for a caller that requires 100rel: one 180, one PRACK, then the 200', async () => {
    const { ringing, acknowledged } = await ring({ Require: '100rel' });
    expect(ringing?.headers.get('require')).toBe('100rel');
    expect(acknowledged.map(({ status }) => status)).toEqual([200]);
  });

  test('rings plainly for one that only supports it', async () => {
    const { ringing, acknowledged } = await ring({ Supported: '100rel' });
    expect(ringing?.headers.get('require')).toBeUndefined();
    expect(acknowledged).toEqual([]);
  });
});
