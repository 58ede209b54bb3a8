import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type RunningEngine, runEngine } from '../../src/sip-engine/engine-process.ts';
import { requestLines, sip } from '../sip-engine/verdict.ts';
import { EverythingApp } from '../support/everything-app.ts';
import { type CallerTransport, openCaller, type SipCaller } from '../support/sip-caller.ts';
import { pick, type Random, randomFrom } from './random.ts';
import { sipMutant } from './sip-mutants.ts';

/** A whole engine with sockets and a drachtio-srf application, in this process, and a client that always behaves. */
export class LiveEngine {
  /** Stacks of errors that nobody foresaw. */
  readonly faults: string[] = [];
  readonly #engine: RunningEngine;
  readonly #app = new EverythingApp();
  readonly #ports: { udp: number; tcp: number };
  #wellBehaved: SipCaller[] = [];
  #probes = 0;

  private constructor(engine: RunningEngine, faults: string[]) {
    this.#engine = engine;
    this.faults = faults;
    const [udp = 0, tcp = 0] = engine.hostports.map((hostport) => Number(hostport.split(':').at(-1)));
    this.#ports = { udp, tcp };
  }

  static async start(): Promise<LiveEngine> {
    const faults: string[] = [];
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, host: '127.0.0.1', port: 0 }));
    const engine = await runEngine({ listen }, { fault: (stack) => faults.push(stack) });
    const live = new LiveEngine(engine, faults);
    await live.#app.connect({ host: '127.0.0.1', port: engine.port, secret: engine.secret });
    live.#wellBehaved = [await openCaller('UDP', live.#ports.udp), await openCaller('TCP', live.#ports.tcp)];
    return live;
  }

  get stats() {
    return this.#engine.core.stats;
  }

  /**
   * Sends mutants over UDP, or some in a row over a TCP connection; between them the well-behaved client must get answers.
   * @throws Error when it gets none, or the engine met a fault
   */
  async fuzz(seed: number, count: number, told: (done: number) => void = () => {}): Promise<void> {
    const random = randomFrom(seed);
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    for (let done = 0; done < count; ) {
      for (let i = 0; i < 40; i++) socket.send(sipMutant(random), this.#ports.udp, '127.0.0.1');
      const row = Array.from({ length: 10 }, () => sipMutant(random));
      await this.#overTcp(row, random);
      done += 40 + row.length;
      await this.#probe(`seed ${seed}, after ${done} mutants`);
      told(done);
    }
    socket.close();
  }

  /** Cuts a stream of three requests in two at every `step`th byte; each time all three are answered. */
  async split(step: number): Promise<number> {
    let cuts = 0;
    for (let cut = 1; ; cut += step) {
      const stream = Buffer.concat([1, 2, 3].map((n) => options(`cut${cut}-${n}`, 'TCP')));
      if (cut >= stream.length) return cuts;
      const answers = await this.#answersTo([stream.subarray(0, cut), stream.subarray(cut)], 3);
      assert.deepEqual(answers, ['200', '200', '200'], `a stream cut at byte ${cut}`);
      cuts++;
    }
  }

  async close(): Promise<void> {
    for (const caller of this.#wellBehaved) await caller.close();
    this.#app.disconnect();
    await this.#engine.close();
  }

  async #probe(when: string): Promise<void> {
    for (const caller of this.#wellBehaved) {
      const id = `probe${++this.#probes}`;
      caller.send(options(id, caller.transport).toString('latin1'));
      await caller.next('SIP/2.0 200').catch((error: Error) => {
        throw new Error(`${when}: a good request over ${caller.transport} got no answer`, { cause: error });
      });
    }
    assert.equal(this.stats.faults, 0, `${when}: ${this.faults.join('\n')}`);
  }

  /** Mutants in a row, in chunks of any size; the connection ends whenever the engine or we like. */
  async #overTcp(row: readonly Buffer[], random: Random): Promise<void> {
    const socket = connect(this.#ports.tcp, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'connect');
    const stream = Buffer.concat(row);
    for (let at = 0; at < stream.length && socket.writable; ) {
      const size = pick([1, 7, 100, 1_460, 5_000], random);
      socket.write(stream.subarray(at, at + size));
      at += size;
      if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (random(3) === 0) socket.resetAndDestroy();
    else socket.end();
    if (!socket.closed) await once(socket, 'close');
  }

  async #answersTo(chunks: readonly Buffer[], wanted: number): Promise<string[]> {
    const socket = connect({ port: this.#ports.tcp, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    let text = '';
    const answered = new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', resolve);
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        if (text.split('SIP/2.0 ').length > wanted) resolve();
      });
    });
    for (const chunk of chunks) {
      socket.write(chunk);
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    await answered;
    socket.destroy();
    return [...text.matchAll(/^SIP\/2\.0 (\d+)/gm)].map(([, status]) => status!);
  }
}

function options(id: string, transport: CallerTransport): Buffer {
  const changes = {
    Via: `SIP/2.0/${transport} 127.0.0.1:5060;rport;branch=z9hG4bK${id}`,
    'Call-ID': `${id}@good`,
    'Content-Length': '0',
  };
  return sip(requestLines('OPTIONS', changes));
}
