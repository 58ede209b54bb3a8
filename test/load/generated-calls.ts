import { type CallTransport, openCallTransport } from './call-transport.ts';
import { GeneratedCall, headerOf } from './generated-call.ts';
import { Histogram } from './histogram.ts';
import type { SipSetUpsJob } from './load-job.ts';
import { atRate } from './pace.ts';

/** What the gateway sends before it has the BYE goes there. */
const DISCARD_PORT = 9;

type Wanted = Pick<SipSetUpsJob, 'target' | 'transport' | 'perSecond'>;

/** What became of calls. */
export class CallCounts {
  /** From an INVITE to its 200, and to its final answer whatever that is, ms. */
  readonly times = new Histogram();
  readonly answers = new Histogram();
  /** How late the generator itself was with an INVITE, ms. */
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

/** Calls of the generator at a steady rate, whether the gateway keeps up or not. */
export class GeneratedCalls {
  readonly #job: Wanted;
  readonly #calls = new Map<string, GeneratedCall>();
  #transport!: CallTransport;
  #open = 0;
  #idle: (() => void) | undefined;

  private constructor(job: Wanted) {
    this.#job = job;
  }

  static async open(job: Wanted): Promise<GeneratedCalls> {
    const generator = new GeneratedCalls(job);
    generator.#transport = await openCallTransport(job.transport, job.target.sip, (text, lane) =>
      generator.#receive(text, lane),
    );
    return generator;
  }

  /** Resolves when the last of the calls is over. */
  async run(count: number, counts: CallCounts, sessionOf: (index: number) => string): Promise<void> {
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

  #call(index: number, sessionId: string, counts: CallCounts): void {
    const { host, port } = this.#job.target.sip;
    const parameter = this.#job.transport === 'udp' ? '' : `;transport=${this.#job.transport}`;
    const call = new GeneratedCall(this.#transport, index, `sip:${sessionId}@${host}:${port}${parameter}`, {
      answered: (status, ms) => {
        counts.answers.add(ms);
        if (status === 200) counts.times.add(ms);
      },
      sentAgain: () => {
        counts.retransmitted += 1;
      },
      over: (failure) => {
        counts.over(failure);
        // One that was refused may be told so again.
        if (failure === undefined) this.#calls.delete(call.callId);
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
