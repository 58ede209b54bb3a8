import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ImpairedPath, type Impairment } from './impaired-path.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  open.push(socket);
  await once(socket, 'listening');
  return socket;
}

/** A service that sends back what it gets (or is silent), behind a path, and a peer in front of it. */
async function scene(impairment: Impairment, echoes = true) {
  const service = await bound();
  const got: string[] = [];
  service.on('message', (bytes, { address, port }) => {
    got.push(bytes.toString());
    if (echoes) service.send(bytes, port, address);
  });
  const path = await ImpairedPath.open(`127.0.0.1:${service.address().port}`, impairment);
  open.push(path);
  const [host, port] = path.address.split(':');
  const peer = await bound();
  const back: string[] = [];
  peer.on('message', (bytes) => back.push(bytes.toString()));
  /** Slowly enough for the system's buffers. */
  const send = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      peer.send(`${i}`, Number(port), host);
      if (i % 20 === 19) await setTimeout(2);
    }
  };
  return { path, got, back, send };
}

describe('a path between peers and a UDP service', () => {
  it('carries everything both ways when it is not impaired', async () => {
    const { got, back, send } = await scene({ seed: 1 });
    await send(50);
    await expect.poll(() => back.length).toBe(50);
    expect(got).toHaveLength(50);
  });

  it('loses about what it is told to, the same packets for the same seed', async () => {
    const arrived = async (seed: number): Promise<string[]> => {
      const { got, send, path } = await scene({ seed, lossPercent: 20 }, false);
      await send(300);
      await expect.poll(() => path.counts.lost + got.length).toBe(300);
      return got;
    };
    const got = await arrived(5);
    expect(got.length).toBeGreaterThan(210);
    expect(got.length).toBeLessThan(270);
    expect(await arrived(5)).toEqual(got);
    expect(await arrived(6)).not.toEqual(got);
  });

  it('knows what it lost on the way there, which does not depend on what goes the other way', async () => {
    const lost = async (echoes: boolean): Promise<number[]> => {
      const { got, send, path } = await scene({ seed: 5, lossPercent: 20 }, echoes);
      await send(300);
      await expect.poll(() => path.toService.lost.length + got.length).toBe(300);
      expect(new Set([...path.toService.lost, ...got.map(Number)]).size).toBe(300);
      return [...path.toService.lost];
    };
    expect(await lost(true)).toEqual(await lost(false));
  });

  it('doubles packets', async () => {
    const { got, send, path } = await scene({ seed: 2, duplicatePercent: 100 });
    await send(10);
    await expect.poll(() => got.length).toBe(20);
    expect(path.counts.duplicated).toBeGreaterThanOrEqual(10);
  });

  it('lets packets overtake each other, and loses none', async () => {
    const { got, send, path } = await scene({ seed: 3, reorderPercent: 50, reorderMs: 40 });
    await send(100);
    await expect.poll(() => got.length).toBe(100);
    expect(path.counts.reordered).toBeGreaterThan(20);
    expect(got).not.toEqual(got.toSorted((a, b) => Number(a) - Number(b)));
  });

  it('delays', async () => {
    const { back, send } = await scene({ seed: 4, delayMs: 60 });
    const start = performance.now();
    await send(1);
    await expect.poll(() => back.length, { interval: 2 }).toBe(1);
    expect(performance.now() - start).toBeGreaterThan(110);
  });

  it('keeps peers apart: each has its own answers', async () => {
    const { path, back, send } = await scene({ seed: 6 });
    const [host, port] = path.address.split(':');
    const other = await bound();
    const heard: string[] = [];
    other.on('message', (bytes) => heard.push(bytes.toString()));
    other.send('other', Number(port), host);
    await send(3);
    await expect.poll(() => back.length).toBe(3);
    await expect.poll(() => heard).toEqual(['other']);
  });
});
