import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LossBurst, readKernelUdp } from '../../src/telemetry/kernel-udp.ts';
import { KernelUdpWatch, readProc } from '../../src/telemetry/kernel-udp-watch.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const snmp = `Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 10057
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors
Udp: 5710056 186 558 6507295 550 3 8
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors
UdpLite: 1 2 3 4 5 6 7
`;
const snmp6 = `Ip6InReceives                   \t7666
Udp6InDatagrams                 \t4515
Udp6NoPorts                     \t48
Udp6RcvbufErrors                \t7
Udp6SndbufErrors                \t1
UdpLite6RcvbufErrors            \t99
`;

describe("the kernel's counters", () => {
  test('are those of both families', () => {
    expect(readKernelUdp(snmp, snmp6)).toEqual({ receiveBuffer: 557, sendBuffer: 4, noPort: 234 });
  });

  test('are those of IPv4 where there is no IPv6', () => {
    expect(readKernelUdp(snmp, '')).toEqual({ receiveBuffer: 550, sendBuffer: 3, noPort: 186 });
  });

  test.each(['', 'Udp:', 'Udp: RcvbufErrors\n', 'Udp: RcvbufErrors\nUdp: many', 'nothing of the kind'])(
    'that cannot be read count as none: %j',
    (text) => {
      expect(readKernelUdp(text, text)).toEqual({ receiveBuffer: 0, sendBuffer: 0, noPort: 0 });
    },
  );
});

test('a burst of losses is told of when it begins, and the next one after a minute of quiet', () => {
  const burst = new LossBurst();
  expect([0, 3, 1, 0, 0, 2, 8].map((lost) => burst.begins(lost))).toEqual([
    ...[false, true, false, false],
    ...[false, false, false],
  ]);
  for (let readings = 0; readings < 12; readings++) expect(burst.begins(0)).toBe(false);
  expect(burst.begins(1)).toBe(true);
});

describe('the watch', () => {
  const metrics = createMetrics();
  const scraped = async (reason: string) =>
    (await metrics.scrape()).match(`kernel_udp_dropped_total{reason="${reason}"} (.+)`)?.[1];
  let watch: KernelUdpWatch | undefined;
  afterEach(() => watch?.close());

  test('counts from its start on, and warns once', async () => {
    const log = createLog('silent');
    const warn = vi.spyOn(log, 'warn');
    const drops = { receiveBuffer: 1000, sendBuffer: 100, noPort: 10 };
    watch = new KernelUdpWatch(metrics, log, async () => ({ ...drops }));
    await watch.poll();
    expect(await scraped('receive_buffer')).toBe('0');
    Object.assign(drops, { receiveBuffer: 1005, sendBuffer: 102, noPort: 11 });
    await watch.poll();
    drops.receiveBuffer = 1006;
    await watch.poll();
    expect(await scraped('receive_buffer')).toBe('6');
    expect(await scraped('send_buffer')).toBe('2');
    expect(await scraped('no_port')).toBe('1');
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith({ packets: 5 }, expect.stringContaining('not read in time'));
  });

  test('is silent where the system tells nothing', async () => {
    const log = createLog('silent');
    const warn = vi.spyOn(log, 'warn');
    const read = vi.fn(async () => undefined);
    watch = new KernelUdpWatch(metrics, log, read);
    await watch.poll();
    expect(warn).not.toHaveBeenCalled();
  });
});

test.runIf(process.platform === 'linux')('a socket that is not read in time is seen', async () => {
  const reader = createSocket('udp4');
  reader.bind(0, '127.0.0.1');
  await once(reader, 'listening');
  const writer = createSocket('udp4');
  writer.connect(reader.address().port, '127.0.0.1');
  await once(writer, 'connect');
  const before = await readProc();
  reader.setRecvBufferSize(4096);
  // All of them at once: nothing is read before this function waits.
  for (let n = 0; n < 100; n++) writer.send(Buffer.alloc(1000));
  await vi.waitFor(async () => {
    const now = await readProc();
    expect(now?.receiveBuffer).toBeGreaterThan(before?.receiveBuffer as number);
  });
  writer.close();
  reader.close();
});
