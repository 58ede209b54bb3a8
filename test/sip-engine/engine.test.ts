import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../src/sip-engine/engine.ts';
import { framed, request } from '../support/engine-harness.ts';

const running: Engine[] = [];
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.close();
});

async function start(limits: EngineOptions['limits'] = {}): Promise<Engine> {
  const engine = await startEngine({ listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }], limits });
  running.push(engine);
  return engine;
}

const portOf = (engine: Engine): number => Number(/:(\d+)$/.exec(engine.hostports[0]!)![1]);

async function send(engine: Engine, text: string): Promise<void> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.send(text, portOf(engine), '127.0.0.1', () => resolve()));
  socket.close();
}

/** Asks for the counters until they are as expected. */
async function statsUntil(engine: Engine, wanted: Partial<Awaited<ReturnType<Engine['control']['stats']>>>) {
  await expect.poll(() => engine.control.stats(), { timeout: 5_000 }).toMatchObject(wanted);
}

describe('startEngine', () => {
  it('runs in a thread and takes applications on loopback, by its secret', async () => {
    const engine = await start();
    const socket = connect({ host: engine.host, port: engine.port });
    socket.write(framed(`id|authenticate|${engine.secret}|`));
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toContain(
      `|response|id|OK|${engine.hostports[0]}|v0.9.10|${engine.hostports[0]}`,
    );
    await statsUntil(engine, { applications: 1 });
    socket.destroy();
    await statsUntil(engine, { applications: 0 });
  });

  it('fails with the address that is in use', async () => {
    const engine = await start();
    const port = portOf(engine);
    await expect(startEngine({ listen: [{ transport: 'udp', host: '127.0.0.1', port }] })).rejects.toThrow(
      `SIP cannot listen on udp/127.0.0.1:${port}: the address is in use by another process`,
    );
  });

  it('bans and lifts bans over the control port', async () => {
    const engine = await start();
    engine.control.ban('127.0.0.1', 60_000);
    await send(engine, request());
    await statsUntil(engine, { bans: 1, dropsBanned: 1 });
    engine.control.unban('127.0.0.1');
    await send(engine, request());
    await statsUntil(engine, { bans: 0, dropsBanned: 1, unrouted: 1 });
  });

  it('gives the messages of a call as text, also of one that is malformed, whatever its Call-ID is made of', async () => {
    const engine = await start();
    const callId = 'grüße/%41@peer';
    await send(engine, request({ callId }));
    await statsUntil(engine, { malformed: 1 });
    const text = await engine.control.trace(callId);
    expect(text).toContain(`Call-ID: ${callId}\n`);
    expect(text).toMatch(/ --> .* {2}udp {2}INVITE sip:us@192\.0\.2\.1\n.* <-- .* {2}udp {2}400 /);
    expect(await engine.control.trace('nobody')).toBeUndefined();
  });

  it('exempts networks and addresses from the caps of one source over the control port', async () => {
    const engine = await start({ maxTransactionsPerSource: 0 });
    await send(engine, request({ branch: 'z9hG4bK1' }));
    await statsUntil(engine, { overloaded: 1, unrouted: 0 });
    engine.control.exemptNetworks(['127.0.0.0/8']);
    await send(engine, request({ branch: 'z9hG4bK2' }));
    await statsUntil(engine, { overloaded: 1, unrouted: 1 });
    engine.control.exemptNetworks([]);
    engine.control.exempt('127.0.0.1', 60_000);
    await send(engine, request({ branch: 'z9hG4bK3' }));
    await statsUntil(engine, { overloaded: 1, unrouted: 2 });
  });

  it('closes within a second with an application connected, twice without harm, and frees its port', async () => {
    const engine = await start();
    const socket = connect({ host: engine.host, port: engine.port, allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(framed(`id|authenticate|${engine.secret}|`));
    await once(socket, 'data');
    const exits: (Error | null)[] = [];
    engine.onExit((error) => exits.push(error));
    await Promise.all([engine.close(), engine.close()]);
    socket.destroy();
    expect(exits).toEqual([null]);
    engine.onExit((error) => exits.push(error));
    expect(exits).toEqual([null, null]);
    await expect(engine.control.stats()).rejects.toThrow('the SIP engine has ended');
    const again = await startEngine({
      listen: [{ transport: 'udp', host: '127.0.0.1', port: portOf(engine) }],
    });
    running.push(again);
  });
});
