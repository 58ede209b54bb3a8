import { describe, expect, it } from 'vitest';
import {
  EngineHarness,
  type RecorderApp,
  type RecorderFlow,
  request,
  response,
  SDP,
} from '../support/engine-harness.ts';

/** A generator with a seed (mulberry32), so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const methods = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'INFO', 'UPDATE', 'PRACK'];
const statuses = ['100 Trying', '180 Ringing', '200 OK', '481 Gone', '491 Pending', '302 Moved'];

/** One engine, one caller and one application that do anything at any time. */
class Chaos {
  readonly harness = new EngineHarness({ maxPendingInvitesPerSource: 20 });
  readonly #random: (below: number) => number;
  readonly #peer: RecorderFlow;
  #app: RecorderApp;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#peer = this.harness.peer('198.51.100.7', 5060, this.#random(2) === 0 ? 'udp' : 'tcp');
    this.#app = this.harness.app('invite', 'bye', 'options', 'info');
  }

  step(): void {
    const kind = this.#random(20);
    if (kind < 9) this.harness.receive(this.#damaged(this.#request()), this.#peer);
    else if (kind < 12) this.#answerOurs();
    else if (kind < 15) this.#respond();
    else if (kind < 17)
      this.#app.request(`c${this.#random(4)};from-tag=theirs`, this.#pick(methods), '', SDP);
    else if (kind < 19) this.harness.clock.advance(this.#random(20_000));
    else if (this.#random(10) === 0) this.#replaceApp();
  }

  #request(): string {
    return request({
      method: this.#pick(methods),
      branch: `z9hG4bK${this.#random(12)}`,
      callId: `c${this.#random(4)}`,
      cseq: 1 + this.#random(6),
      toTag: this.#random(3) === 0 ? undefined : this.#knownTag(),
      body: this.#random(2) === 0 ? SDP : '',
    });
  }

  #knownTag(): string | undefined {
    const tags = this.#peer.raw
      .map((text) => /\r\nTo: .*;tag=(\w+)/.exec(text)?.[1])
      .filter((tag) => tag !== undefined);
    return tags.at(-1 - this.#random(3));
  }

  #answerOurs(): void {
    const ours = this.#peer.sent.filter((message) => message.kind === 'request').at(-1);
    if (ours !== undefined)
      this.harness.receive(this.#damaged(response(ours, this.#pick(statuses))), this.#peer);
  }

  #respond(): void {
    const events = this.#app.events;
    if (events.length === 0) return;
    this.#app.respond(
      this.#pick(events).tokens[8]!,
      this.#pick(statuses),
      '',
      this.#random(2) === 0 ? SDP : '',
    );
  }

  #replaceApp(): void {
    this.#app.session.closed();
    this.#app = this.harness.app('invite', 'bye');
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)]!;
  }

  #damaged(text: string): string {
    if (this.#random(5) > 0) return text;
    const at = this.#random(text.length);
    return (
      text.slice(0, at) +
      this.#pick([';', ',', '<', '"', '\r\n', '|', '', '%41']) +
      text.slice(at + this.#random(3))
    );
  }
}

describe('whatever comes, in whatever order', () => {
  it.each(Array.from({ length: 60 }, (_, i) => i + 1))(
    'nothing throws and nothing is left (seed %i)',
    (seed) => {
      const chaos = new Chaos(seed);
      for (let i = 0; i < 200; i += 1) chaos.step();
      // All timers run out: what the application never answered, what the peer never acknowledged.
      chaos.harness.clock.advance(600_000);
      const { stats } = chaos.harness.core;
      expect(stats).toMatchObject({ serverTransactions: 0, clientTransactions: 0, pendingInvites: 0 });
      chaos.harness.core.close();
      expect(stats.dialogs).toBe(0);
      expect(chaos.harness.clock.pending).toBe(0);
    },
  );
});
