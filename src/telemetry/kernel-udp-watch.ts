import { readFile } from 'node:fs/promises';
import { type KernelUdpDrops, LossBurst, readKernelUdp } from './kernel-udp.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const READ_EVERY_MS = 5000;
const FULL_BUFFERS =
  'the kernel of this machine dropped UDP packets because a socket was not read in time: it is too busy';

/** The kernel's counters as they stand; undefined where the system has none to read. */
export type ReadKernelUdp = () => Promise<KernelUdpDrops | undefined>;

/** Reads the counters of Linux. */
export async function readProc(): Promise<KernelUdpDrops | undefined> {
  const text = (file: string) => readFile(`/proc/net/${file}`, 'utf8').catch(() => undefined);
  const [snmp, snmp6] = await Promise.all([text('snmp'), text('snmp6')]);
  return snmp === undefined ? undefined : readKernelUdp(snmp, snmp6 ?? '');
}

/**
 * Watches what the kernel drops of UDP before any socket sees it: as metrics, and a warning when a burst of losses
 * begins. Silent where the system tells nothing.
 */
export class KernelUdpWatch {
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #read: ReadKernelUdp;
  readonly #burst = new LossBurst();
  readonly #timer: NodeJS.Timeout;
  #before: KernelUdpDrops | undefined;

  constructor(metrics: Metrics, log: Log, read: ReadKernelUdp = readProc) {
    this.#metrics = metrics;
    this.#log = log;
    this.#read = read;
    this.#timer = setInterval(() => void this.poll(), READ_EVERY_MS).unref();
    void this.poll();
  }

  /** Counts what has been dropped since the last time; what was before the first does not count. */
  async poll(): Promise<void> {
    const now = await this.#read();
    if (!now) {
      this.close();
      return;
    }
    const before = this.#before ?? now;
    this.#before = now;
    const { kernel_udp_dropped_total: dropped } = this.#metrics;
    const received = Math.max(0, now.receiveBuffer - before.receiveBuffer);
    dropped.inc({ reason: 'receive_buffer' }, received);
    dropped.inc({ reason: 'send_buffer' }, Math.max(0, now.sendBuffer - before.sendBuffer));
    dropped.inc({ reason: 'no_port' }, Math.max(0, now.noPort - before.noPort));
    if (this.#burst.begins(received)) this.#log.warn({ packets: received }, FULL_BUFFERS);
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }
}
