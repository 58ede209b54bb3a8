import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { LogOutput } from '../../src/telemetry/log-output.ts';
import { eventually } from '../support/gateway.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

/** A pipe that says no while it is full, and what comes out of it. */
function pipe() {
  const folder = mkdtempSync(join(tmpdir(), 'log-output-'));
  open.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  open.push(() => closeSync(fd));
  const chunk = Buffer.alloc(65_536);
  const read = (): string => {
    try {
      return chunk.toString('latin1', 0, readSync(fd, chunk));
    } catch {
      return '';
    }
  };
  return { fd, read };
}

const line = (n: number) => `${JSON.stringify({ n, words: 'x'.repeat(1000) })}\n`;

test('nobody waits for a reader that stands still: what is too much is dropped, and told when it reads again', async () => {
  const { fd, read } = pipe();
  const output = new LogOutput(fd, 100_000);
  for (let n = 0; n < 1000; n++) output.write(line(n));
  let text = '';
  const came = () => {
    text += read();
    const lines = text.split('\n').slice(0, -1);
    return lines.map((one) => JSON.parse(one));
  };
  const lost = () => came().filter(({ msg }) => msg === 'lines of the log were lost');
  await eventually('the loss is told', () => lost().length === 1);
  await eventually('all that was kept has come', () => came().length + lost()[0].lines === 1001);
  expect(lost()).toMatchObject([{ level: 'warn' }]);
  const kept = came().flatMap(({ n }) => n ?? []);
  expect(kept.length).toBeGreaterThan(90);
  expect(kept).toEqual(kept.map((_, n) => n));
});

test('what waits goes out with the process, as far as there is room', () => {
  const { fd, read } = pipe();
  const output = new LogOutput(fd);
  for (let n = 0; n < 10; n++) output.write(line(n));
  output.flushSync();
  expect(read().match(/"n":/g)?.length).toBeGreaterThanOrEqual(9);
  for (let n = 0; n < 1000; n++) output.write(line(n));
  output.flushSync();
});

test('a full disk is no error of whoever logs', async () => {
  const fd = openSync('/dev/full', 'w');
  open.push(() => closeSync(fd));
  const output = new LogOutput(fd);
  output.write(line(0));
  await new Promise((resolve) => setTimeout(resolve, 50));
  output.write(line(1));
  output.flushSync();
});
