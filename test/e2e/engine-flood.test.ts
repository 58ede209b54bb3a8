import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import { EngineApp } from '../support/engine-app.ts';
import { request } from '../support/engine-harness.ts';
import { eventually } from '../support/gateway.ts';
import { TestPhone } from '../support/test-phone.ts';

const GOOD_CALLS = 30;

/** The embedded engine with an application that refuses the flood with 486, and answers a phone. */
describe('a flood of INVITEs from one source', () => {
  const app = new EngineApp();
  let engine: Engine;
  let phone: TestPhone;

  beforeAll(async () => {
    const host = '127.0.0.1';
    engine = await startEngine({
      listen: [
        { transport: 'udp', host, port: 0 },
        { transport: 'tcp', host, port: 0 },
      ],
    });
    await app.connect(engine);
    phone = await new TestPhone().start();
  });
  afterAll(async () => {
    await phone.stop();
    app.disconnect();
    await engine.close();
  });

  const port = (at: 0 | 1): number => Number(/:(\d+)$/.exec(engine.hostports[at]!)![1]);

  const invite = (name: string, sentBy: string, transport: 'UDP' | 'TCP'): string => {
    const parts = { branch: `z9hG4bK${name}`, callId: name, sentBy, transport, viaParams: ';rport' };
    return request(parts).replace('To: <sip:us@', 'To: <sip:busy@');
  };

  /** Calls of somebody else, one after another. @returns ms to the answer, in the middle of all */
  async function goodCalls(): Promise<number> {
    const waited: number[] = [];
    for (let n = 0; n < GOOD_CALLS; n += 1) {
      const call = await phone.call(`sip:answer@127.0.0.1:${port(0)}`);
      expect(call.status).toBe(200);
      expect((await call.bye()).status).toBe(200);
      waited.push(call.answeredAfterMs!);
    }
    return waited.sort((a, b) => a - b)[GOOD_CALLS / 2]!;
  }

  test('over UDP loses what is more than its share; calls of others are set up and end meanwhile', async () => {
    const flooder = createSocket('udp4').bind(0, '127.0.0.66');
    await once(flooder, 'listening');
    const sentBy = `127.0.0.66:${flooder.address().port}`;
    const flood = async (): Promise<void> => {
      // As fast as the socket takes them; the answers are not even read.
      for (let n = 0; n < 10_000; n += 1) {
        flooder.send(invite(`udp-${n}`, sentBy, 'UDP'), port(0), '127.0.0.1');
        if (n % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const [waited] = await Promise.all([goodCalls(), flood()]);
    flooder.close();
    // Less than T1: most of them did not have to send anything twice.
    expect(waited).toBeLessThan(500);
    expect((await engine.control.stats()).dropsFlood).toBeGreaterThan(0);
  });

  test('over TCP is read more slowly and answered to the last; calls of others are set up and end meanwhile', async () => {
    const COUNT = 3_000;
    const flooder = connect({ host: '127.0.0.1', port: port(1), localAddress: '127.0.0.67' });
    await once(flooder, 'connect');
    let heard = '';
    let answers = 0;
    flooder.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1');
      const lines = heard.split('\r\n');
      heard = lines.pop()!;
      answers += lines.filter((line) => /^SIP\/2\.0 (486|503) /.test(line)).length;
    });
    const sentBy = `127.0.0.67:${flooder.localPort}`;
    const flood = Array.from({ length: COUNT }, (_, n) => invite(`tcp-${n}`, sentBy, 'TCP'));
    flooder.write(flood.join(''));
    expect(await goodCalls()).toBeLessThan(500);
    await eventually('each INVITE has its answer', () => answers === COUNT, 30_000);
    flooder.destroy();
  });
});
