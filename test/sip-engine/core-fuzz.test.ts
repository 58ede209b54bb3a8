import { describe, expect, it } from 'vitest';
import { randomFrom } from '../fuzz/random.ts';
import {
  EngineHarness,
  type RecorderApp,
  type RecorderFlow,
  request,
  response,
  SDP,
} from '../support/engine-harness.ts';

const methods = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'INFO', 'UPDATE', 'PRACK'];
const statuses = ['100 Trying', '180 Ringing', '200 OK', '481 Gone', '491 Pending', '302 Moved'];

/** One engine, one caller, one application and whomever it calls, or sends calls on to, that do anything at any time. */
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
    const kind = this.#random(26);
    if (kind < 9) this.harness.receive(this.#damaged(this.#request()), this.#peer);
    else if (kind < 12) this.#answerOurs();
    else if (kind < 15) this.#respond();
    else if (kind < 17)
      this.#app.request(`c${this.#random(4)};from-tag=theirs`, this.#pick(methods), '', SDP);
    else if (kind < 19) this.harness.clock.advance(this.#random(20_000));
    else if (kind < 22) this.#order();
    else if (kind < 25) this.#target();
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

  /** The application sends a request on. */
  #order(): void {
    const events = this.#app.events;
    if (events.length === 0) return;
    const options = ['remainInDialog', 'fullResponse', 'followRedirects', 'simultaneous'].map((option) =>
      this.#random(3) === 0 ? '' : option,
    );
    const targets = [
      'sip:203.0.113.1',
      'sip:203.0.113.2;transport=tcp',
      'sip:192.0.2.1',
      'sip:nowhere.example',
    ];
    const chosen = targets.slice(this.#random(4));
    const timeouts = `${this.#pick(['', '2s'])}|${this.#pick(['', '9s'])}`;
    const tokens = [this.#pick(events).tokens[8], ...options, timeouts, ...chosen];
    this.#app.ask(`proxy|${tokens.join('|')}\r\nINVITE sip:a SIP/2.0\r\n\r\n`);
  }

  /** Somebody that the engine has sent something to answers, or sends a request in the dialog. */
  #target(): void {
    const { opened } = this.harness;
    if (opened.length === 0) return;
    const flow = this.#pick(opened);
    const got = flow.sent.filter((message) => message.kind === 'request').at(-1 - this.#random(2));
    if (got === undefined) return;
    const tagged = (text: string): string => text.replace(/^(To: [^;]*)$/m, `$1;tag=t${this.#random(2)}`);
    const answer = tagged(response(got, this.#pick(statuses), 'Contact: <sip:t@203.0.113.9>\r\n'));
    const callId = `c${this.#random(4)}`;
    const fromTag = `t${this.#random(2)}`;
    const branch = `z9hG4bKt${this.#random(9)}`;
    const method = this.#pick(methods);
    const own = request({ ...{ method, branch, callId, fromTag, toTag: 'theirs', cseq: this.#random(9) } });
    this.harness.receive(this.#damaged(this.#random(4) === 0 ? own : answer), flow);
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

/** What waits for the DNS goes on. */
const namesAreFound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('whatever comes, in whatever order', () => {
  it.each(Array.from({ length: 60 }, (_, i) => i + 1))(
    'nothing throws and nothing is left (seed %i)',
    async (seed) => {
      const chaos = new Chaos(seed);
      for (let i = 0; i < 200; i += 1) {
        chaos.step();
        if (i % 20 === 0) await namesAreFound();
      }
      // All timers run out: what the application never answered, what the peer never acknowledged; and what that begins.
      for (let i = 0; i < 3; i += 1) {
        await namesAreFound();
        chaos.harness.clock.advance(600_000);
      }
      const { stats } = chaos.harness.core;
      expect(stats).toMatchObject({ serverTransactions: 0, clientTransactions: 0, pendingInvites: 0 });
      expect(stats.proxiedRequests).toBe(0);
      chaos.harness.core.close();
      expect(stats).toMatchObject({ dialogs: 0, proxiedDialogs: 0 });
      expect(chaos.harness.clock.pending).toBe(0);
    },
  );
});
