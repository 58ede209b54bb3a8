import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from 'ulid';
import { type CallTransport, openCallTransport } from './call-transport.ts';
import { GeneratedCall, headerOf } from './generated-call.ts';
import { Histogram } from './histogram.ts';
import type { Report, SipSetUpsJob, SipSetUpsResult } from './load-job.ts';
import { atRate } from './pace.ts';
import { createSessions } from './sessions.ts';

/** What is counted while it is measured. */
class Counts {
  readonly times = new Histogram();
  readonly late = new Histogram();
  readonly failures: Record<string, number> = {};
  tried = 0;
  succeeded = 0;
  retransmitted = 0;

  over(failure: string | undefined): void {
    if (failure === undefined) this.succeeded += 1;
    else this.failures[failure] = (this.failures[failure] ?? 0) + 1;
  }
}

/** INVITE, 200, ACK and BYE at a steady rate, whether the gateway keeps up or not. */
export async function setUpSipCalls(
  job: SipSetUpsJob,
  report: (report: Report) => void,
): Promise<SipSetUpsResult> {
  const { target, perSecond, warmUpSeconds, seconds } = job;
  const [warmUp, measured] = [warmUpSeconds, seconds].map((s) => Math.round(perSecond * s)) as [
    number,
    number,
  ];
  const ids = job.anySession ? undefined : await createSessions(target, warmUp + measured);
  const generator = await Generator.open(job);
  await generator.run(warmUp, new Counts(), (i) => ids?.[i] ?? `sess_${ulid()}`);
  const counts = new Counts();
  report({ type: 'begins' });
  await generator.run(measured, counts, (i) => {
    if (job.markEvery > 0 && i % job.markEvery === 0) report({ type: 'mark' });
    return ids?.[warmUp + i] ?? `sess_${ulid()}`;
  });
  report({ type: 'over' });
  await sleep(job.restSeconds * 1000);
  report({ type: 'mark' });
  generator.close();
  const { times, late, tried, succeeded, retransmitted, failures } = counts;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => times.percentile(share)) as [
    number,
    number,
    number,
  ];
  const generatorLate = { p99: late.percentile(0.99) };
  const setUp = { p50, p95, p99, max: times.max };
  return { kind: 'sip set-ups', tried, succeeded, retransmitted, setUp, failures, generatorLate };
}

class Generator {
  readonly #job: SipSetUpsJob;
  readonly #calls = new Map<string, GeneratedCall>();
  #transport!: CallTransport;
  #open = 0;
  #idle: (() => void) | undefined;

  private constructor(job: SipSetUpsJob) {
    this.#job = job;
  }

  static async open(job: SipSetUpsJob): Promise<Generator> {
    const generator = new Generator(job);
    generator.#transport = await openCallTransport(job.transport, job.target.sip, (text, lane) =>
      generator.#receive(text, lane),
    );
    return generator;
  }

  /** Resolves when the last of the calls is over. */
  async run(count: number, counts: Counts, sessionOf: (index: number) => string): Promise<void> {
    if (count === 0) return;
    const startedAt = performance.now();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    this.#open += 1;
    await atRate(count, this.#job.perSecond, (i) => {
      counts.late.add(performance.now() - startedAt - (i * 1000) / this.#job.perSecond);
      this.#call(i, sessionOf(i), counts);
    });
    this.#closeOne();
    await idle;
  }

  close(): void {
    this.#transport.close();
  }

  #call(index: number, sessionId: string, counts: Counts): void {
    const { host, port } = this.#job.target.sip;
    const parameter = this.#job.transport === 'udp' ? '' : `;transport=${this.#job.transport}`;
    const call = new GeneratedCall(this.#transport, index, `sip:${sessionId}@${host}:${port}${parameter}`, {
      answered: (ms) => counts.times.add(ms),
      sentAgain: () => {
        counts.retransmitted += 1;
      },
      over: (failure) => {
        counts.over(failure);
        this.#calls.delete(call.callId);
        this.#closeOne();
      },
    });
    counts.tried += 1;
    this.#open += 1;
    this.#calls.set(call.callId, call);
    call.start(DISCARD_PORT);
  }

  #closeOne(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#idle?.();
  }

  #receive(text: string, lane: number): void {
    const call = this.#calls.get(headerOf(text, 'Call-ID'));
    if (text.startsWith('SIP/2.0 ')) {
      const [, method = ''] = headerOf(text, 'CSeq').split(' ');
      call?.receive(Number(text.slice(8, 11)), method, text);
      return;
    }
    // What the gateway sends by itself is answered, so that it does not send it again.
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${headerOf(text, name)}`);
    this.#transport.send(`SIP/2.0 200 OK\r\n${copied.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, lane);
    if (text.startsWith('BYE ')) call?.hungUp();
  }
}

/** What the gateway sends before it has the BYE goes there. */
const DISCARD_PORT = 9;
