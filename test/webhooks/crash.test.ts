import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { LEASE_MS } from '../../src/webhooks/claims.ts';
import { WebhookRoom } from './fixture.ts';
import { Receiver } from './receiver.ts';

const fixture = pathToFileURL(join(import.meta.dirname, 'fixture.ts')).href;

describe('a process that is killed', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'webhook-crash-'));
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A process that makes an endpoint and a session, and then does what it is told. */
  function startProcess(database: string, receiver: string, then: string) {
    const program = `
      import { WebhookRoom } from ${JSON.stringify(fixture)};
      const room = await WebhookRoom.open(${JSON.stringify(database)});
      await room.endpoints.create('acme', ${JSON.stringify(receiver)}, ['*']);
      await room.session();
      ${then}
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return { child, exited: once(child, 'exit') };
  }

  async function startAgain(database: string) {
    const room = await WebhookRoom.open(database);
    running.push({ stop: () => room.close() });
    return room;
  }

  test('between the change and the delivery loses nothing: the next start delivers', async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    const database = `sqlite:${join(folder, 'between.db')}`;
    const { exited } = startProcess(database, receiver.url, `process.kill(process.pid, 'SIGKILL');`);
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(receiver.received).toEqual([]);
    const room = await startAgain(database);
    await room.settle();
    expect(receiver.types()).toEqual(['session.created']);
  });

  test('in the middle of an attempt loses nothing: it is made again when its lease is over', async () => {
    const receiver = await Receiver.start(() => undefined);
    running.push(receiver);
    const database = `sqlite:${join(folder, 'attempt.db')}`;
    const { child, exited } = startProcess(database, receiver.url, 'setInterval(() => undefined, 1000);');
    await receiver.count(1);
    child.kill('SIGKILL');
    await exited;
    receiver.answer = (response) => response.writeHead(200).end();
    const room = await startAgain(database);
    await room.settle(LEASE_MS - 1);
    expect(receiver.received).toHaveLength(1);
    await room.settle(1);
    expect(receiver.received).toHaveLength(2);
    const [first, again] = receiver.received;
    expect(again?.raw).toBe(first?.raw);
    expect(again?.headers['kallglot-retry-count']).toBe('0');
  });
});
