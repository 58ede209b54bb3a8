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
    gateway = await TestGateway.start({
      settings: { pipeline: { url: pipeline.url, on_failure: 'hangup' } },
    });
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

  test('answers an UPDATE that comes before the 200: one without SDP, and not yet one with an offer', async () => {
    const updates: Promise<SipResponse>[] = [];
    const call = await phone.call(gateway.uri(await gateway.session()), {
      onProvisional: (answer, made) => {
        if (answer.status !== 180) return;
        made.dialog.remote = answer.headers.get('to')!;
        updates.push(made.request('UPDATE'));
        const headers = { 'Content-Type': 'application/sdp' };
        updates.push(made.request('UPDATE', { headers, body: made.localSdp() }));
      },
    });
    expect(call.status).toBe(200);
    const [plain, offering] = await Promise.all(updates);
    expect(plain).toMatchObject({ status: 200, body: '' });
    expect(offering!.status).toBe(500);
    expect(Number(offering!.headers.get('retry-after'))).toBeLessThanOrEqual(10);
    await call.bye();
  });

  test('rings plainly for one that only supports it', async () => {
    const { ringing, acknowledged } = await ring({ Supported: '100rel' });
    expect(ringing?.headers.get('require')).toBeUndefined();
    expect(acknowledged).toEqual([]);
  });
});

describe('session timers', () => {
  let gateway: TestGateway;
  let phone: TestPhone;

  beforeAll(async () => {
    gateway = await TestGateway.start();
    phone = await gateway.phone();
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
  });

  const call = async (headers: Record<string, string>) =>
    phone.call(gateway.uri(await gateway.session()), { headers });

  test('are agreed to in the 200, and confirmed with every refresh', async () => {
    const made = await call({ Supported: 'timer', 'Session-Expires': '90;refresher=uac' });
    expect(made.headers.get('session-expires')).toBe('90;refresher=uac');
    expect(made.headers.get('require')).toBe('timer');
    expect(made.headers.get('supported')).toContain('timer');
    const headers = { Supported: 'timer', 'Session-Expires': '90;refresher=uac' };
    const updated = await made.request('UPDATE', { headers });
    expect([updated.status, updated.headers.get('session-expires')]).toEqual([200, '90;refresher=uac']);
    const short = await made.request('UPDATE', { headers: { ...headers, 'Session-Expires': '60' } });
    expect([short.status, short.headers.get('min-se')]).toEqual([422, '90']);
    await made.bye();
  });

  test('may be required, and are not agreed to where nobody knows of them', async () => {
    const required = await call({ Require: 'timer' });
    expect(required.headers.get('session-expires')).toBe('1800;refresher=uac');
    await required.bye();
    const plain = await call({});
    expect(plain.headers.get('session-expires')).toBeUndefined();
    await plain.bye();
  });

  test('of less than the minimum are refused with 422', async () => {
    const refused = await call({ Supported: 'timer', 'Session-Expires': '60' });
    expect([refused.status, refused.headers.get('min-se')]).toEqual([422, '90']);
    expect(refused.headers.get('x-kallglot-error')).toBe('session_interval_too_small');
  });
});

describe('an UPDATE in a call', () => {
  let gateway: TestGateway;
  let phone: TestPhone;

  beforeAll(async () => {
    gateway = await TestGateway.start();
    phone = await gateway.phone();
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
  });

  async function call() {
    const made = await phone.call(gateway.uri(await gateway.session()));
    expect(made.status).toBe(200);
    const update = (sdp = '') => {
      const headers: Record<string, string> = sdp === '' ? {} : { 'Content-Type': 'application/sdp' };
      return made.request('UPDATE', { headers, body: sdp });
    };
    return { made, update };
  }

  test('with an offer is answered like a re-INVITE', async () => {
    const { made, update } = await call();
    const held = await update(made.localSdp().replace('a=sendrecv', 'a=sendonly'));
    expect(held.status).toBe(200);
    expect(held.body).toContain('a=recvonly');
    expect(held.headers.get('contact')).toContain(gateway.sipAddress());
    expect((await made.bye()).status).toBe(200);
  });

  test('without SDP refreshes the call and gets none', async () => {
    const { made, update } = await call();
    expect(await update()).toMatchObject({ status: 200, body: '' });
    await made.bye();
  });

  test('that requires what is not there is refused with 420, like any other request, and leaves the call up', async () => {
    const { made } = await call();
    for (const method of ['UPDATE', 'INFO']) {
      const refused = await made.request(method, { headers: { Require: 'timer, replaces' } });
      expect([method, refused.status, refused.headers.get('unsupported')]).toEqual([method, 420, 'replaces']);
    }
    expect((await made.request('UPDATE', { headers: { Require: 'timer' } })).status).toBe(200);
    await made.bye();
  });

  test('that cannot be followed is refused with 488 and leaves the call up', async () => {
    const { made, update } = await call();
    const g729 = made.localSdp().replace(/m=audio (\d+) .*/, 'm=audio $1 RTP/AVP 18');
    expect((await update(g729.replace(/a=rtpmap.*\r\n/g, ''))).status).toBe(488);
    expect((await made.reinvite()).status).toBe(200);
    await made.bye();
  });

  test('outside of dialogs gets 481', async () => {
    expect((await phone.request('UPDATE', gateway.uri(await gateway.session()))).status).toBe(481);
  });
});
