import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { acme, noRateLimit } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { TestPhone } from '../support/test-phone.ts';

/** Transactions live for 32 s and sessions wait 30 s for their callers, so that after this nothing may be left. */
const SETTLE_MS = 40_000;
const AT_ONCE = 20;

describe('after 1,000 short calls', () => {
  let gateway: GatewayProcess;
  let where: { api: string; sip: string[] };
  let phone: TestPhone;

  beforeAll(async () => {
    gateway = GatewayProcess.start({
      by: 'node',
      nodeOptions: ['--inspect=127.0.0.1:0'],
      settings: {
        sip: { listen: ['udp:127.0.0.1:0'] },
        api: { listen: '127.0.0.1:0', rate_limit: noRateLimit },
        media: { address: '127.0.0.1', ports: '26000-27999' },
        log: { level: 'info' },
        organizations: [acme],
      },
    });
    where = await gateway.ready();
    phone = await new TestPhone().start();
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
  });

  async function shortCall(): Promise<number> {
    const response = await fetch(`${where.api}/v1/sessions`, {
      method: 'POST',
      headers: { 'X-API-Key': acme.api_keys[0] as string, 'Content-Type': 'application/json' },
      body: JSON.stringify({ mode: 'bidirectional_translation', routing: { type: 'sip' } }),
    });
    const { id } = (await response.json()) as { id: string };
    const uri = `sip:${id}@${where.sip[0]?.slice('udp/'.length)}`;
    let call = await phone.call(uri);
    // Where the machine is too slow for so many at once the engine says so, and a PBX tries again.
    while (call.status === 503) {
      call.media.close();
      call = await phone.call(uri);
    }
    if (call.status === 200) await call.bye();
    call.media.close();
    return call.status ?? 0;
  }

  /** @returns how often each status came */
  async function shortCalls(count: number): Promise<Record<number, number>> {
    const statuses: Record<number, number> = {};
    let left = count;
    const caller = async () => {
      while (left-- > 0) {
        const status = await shortCall();
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    return statuses;
  }

  const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

  test('nothing of them is held, and the heap is as it was', { timeout: 300_000 }, async () => {
    expect(await shortCalls(300)).toEqual({ 200: 300 });
    await settle();
    const warm = await heapUsed(gateway);
    expect(await shortCalls(1000)).toEqual({ 200: 1000 });
    await settle();
    const after = await heapUsed(gateway);
    const text = await (await fetch(`${where.api}/metrics`)).text();
    const held = text
      .split('\n')
      .filter((line) =>
        /^kallglot_(calls_active|sessions_live|pipeline_links|media_ports\{state="used"|engine_state)/.test(
          line,
        ),
      );
    expect(held.length).toBeGreaterThan(6);
    expect(held.filter((line) => !line.endsWith(' 0'))).toEqual([]);
    expect(text).toContain('kallglot_ends_total{reason="hangup"} 1300');
    expect(after).toBeLessThan(warm * 1.1);
  });
});

/** Bytes of the main thread's heap after a full collection, by the inspector. */
async function heapUsed({ stderr }: GatewayProcess): Promise<number> {
  const socket = new WebSocket(/ws:\/\/\S+/.exec(stderr)?.[0] as string);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let id = 0;
  const ask = (method: string, params = {}) =>
    new Promise<{ result: { value: number } }>((resolve) => {
      const mine = ++id;
      const listen = (data: Buffer) => {
        const answer = JSON.parse(data.toString());
        if (answer.id !== mine) return;
        socket.off('message', listen);
        resolve(answer.result);
      };
      socket.on('message', listen);
      socket.send(JSON.stringify({ id: mine, method, params }));
    });
  await ask('HeapProfiler.enable');
  await ask('HeapProfiler.collectGarbage');
  await ask('HeapProfiler.collectGarbage');
  const { result } = await ask('Runtime.evaluate', { expression: 'process.memoryUsage().heapUsed' });
  socket.close();
  return result.value;
}
