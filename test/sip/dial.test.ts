import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Bridges } from '../../src/bridge/bridges.ts';
import type { OutboundCall } from '../../src/bridge/dialer.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import { Refusal } from '../../src/errors.ts';
import type { Session } from '../../src/sessions/session.ts';
import { placeCall } from '../../src/sip/dial.ts';
import type { SipContext } from '../../src/sip/sip-context.ts';
import type { DialEvents, DialRequest, SipAnswer, SipDialog, SrfConnection } from '../../src/sip/srf-port.ts';
import type { CallRecord } from '../../src/telemetry/call-record.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { FakeLinks, FakeMedia, noKeyReports, noTranscripts, plainBridge } from '../support/fake-rooms.ts';

const session = {
  id: 'sess_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  organizationId: 'acme',
  mode: 'ai_agent',
} as unknown as Session;

const sdpWith = (payloadTypes: string, address = '127.0.0.1') =>
  [
    ...['v=0', `o=- 1 1 IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0'],
    ...[`m=audio 4000 RTP/AVP ${payloadTypes}`, ''],
  ].join('\r\n');
const usable = sdpWith('0 101');

const call: OutboundCall = {
  ...{ uri: 'sip:+49301234567@carrier.example;transport=tcp', to: 'sip:+49301234567@carrier.example' },
  ...{ from: { uri: 'sip:+14155550100@carrier.example', name: 'A "B" \\ C' }, assertsCaller: true },
  ...{
    credentials: null,
    headers: { 'X-Queue': '7' },
    family: 4,
    srtp: 'off',
    ringSeconds: 20,
    mediaTimeoutSeconds: null,
    keys: null,
    codecs: null,
  },
};

/** The steps at which a dial waits for something, in their order. */
const steps = ['session', 'port', 'link', 'ringing'] as const;
type Step = (typeof steps)[number];

/** A call that is placed through the real bridges; each step waits until the test lets it go on. */
class Dialed {
  readonly records: CallRecord[] = [];
  readonly rang: (number | null)[] = [];
  readonly byes: string[] = [];
  readonly media = new FakeMedia(() => this.#pause('port'));
  readonly links = new FakeLinks(() => this.#pause('link'));
  readonly bridges: Bridges;
  readonly leg: Leg;
  readonly done: Promise<void>;
  /** The INVITE as it was given to the engine, and what the engine may tell of it. */
  invite: DialRequest | undefined;
  events: DialEvents | undefined;
  cancels = 0;
  readonly dialog = new EventEmitter();
  readonly metrics = createMetrics();
  readonly #reached = new Map<Step, PromiseWithResolvers<void>>();
  readonly #go = new Map<Step, PromiseWithResolvers<void>>();

  constructor(change: Partial<OutboundCall> = {}) {
    for (const step of steps) {
      this.#reached.set(step, Promise.withResolvers());
      this.#go.set(step, Promise.withResolvers());
    }
    this.bridges = this.#makeBridges();
    this.leg = this.bridges.reserve({
      session,
      role: undefined,
      facts: {
        ...{ provider: 'sip', carrierCallId: null },
        ...{ direction: 'outbound', callId: 'call-1', from: call.from.uri, to: call.uri, sourceAddress: '' },
        ...{ transport: 'tcp', startedAt: 0, headers: call.headers },
      },
      concurrencyLimit: 1,
    });
    this.done = placeCall(this.#context(), this.leg, { ...call, ...change });
  }

  reached(step: Step): Promise<void> {
    return this.#reached.get(step)!.promise;
  }

  go(...which: Step[]): this {
    for (const step of which) this.#go.get(step)?.resolve();
    return this;
  }

  refuse(step: Step, error: Error): this {
    this.#go.get(step)?.reject(error);
    return this;
  }

  /** The callee rings, and the test may answer. */
  async ringing(): Promise<this> {
    this.go('session', 'port', 'link');
    await this.reached('ringing');
    return this;
  }

  answer(body: string | undefined = usable, to = '<sip:callee>;tag=1'): void {
    this.events?.answered(this.#sipDialog(), this.#said(200, body, to));
  }

  provisional(status: number, body?: string, to = '<sip:callee>;tag=1'): void {
    this.events?.provisional(this.#said(status, body, to));
  }

  async outcomes(): Promise<string> {
    const text = await this.metrics.scrape();
    return /^kallglot_dials_total\{outcome="(\w+)"\} 1$/m.exec(text)?.[1] ?? 'none';
  }

  async #pause(step: Step): Promise<void> {
    this.#reached.get(step)?.resolve();
    await this.#go.get(step)!.promise;
  }

  #said(status: number, body: string | undefined, to: string): SipAnswer {
    const get = (name: string) => ({ To: to, 'Content-Type': 'application/sdp' })[name];
    const source = { source_address: '192.0.2.9', source_port: 5060, protocol: 'tcp' };
    return { status, reason: '', body, ...source, get };
  }

  #sipDialog(): SipDialog {
    const destroy = async ({ headers }: { headers: Record<string, string> }) => {
      this.byes.push(headers.Reason as string);
    };
    return Object.assign(this.dialog, { destroy }) as unknown as SipDialog;
  }

  #makeBridges(): Bridges {
    return new Bridges({
      media: this.media,
      links: this.links,
      log: createLog('silent'),
      now: () => 0,
      mediaTimeoutSeconds: 60,
      rejoinSeconds: 0,
      waitingSound: { kind: 'silence' },
      ...plainBridge,
      maxCalls: 10,
      hasEnded: async () => {
        await this.#pause('session');
        return false;
      },
      sessionStarted: () => undefined,
      sessionCompleted: () => undefined,
      legRinging: (leg) => void this.rang.push(leg.record().sip_status),
      legAnswered: () => undefined,
      keepRecord: async (_leg, record) => void this.records.push(record),
      written: async () => undefined,
      transcripts: noTranscripts,
      linkClosed: () => undefined,
      keys: noKeyReports,
    });
  }

  #context(): SipContext {
    const srf: Pick<SrfConnection, 'carry' | 'dial'> = {
      carry: () => undefined,
      dial: (invite, events) => {
        Object.assign(this, { invite, events });
        this.#reached.get('ringing')?.resolve();
        return {
          cancel: async () => {
            this.cancels++;
          },
        };
      },
    };
    const context = {
      srf: () => srf,
      log: createLog('silent'),
      metrics: this.metrics,
      bridges: this.bridges,
      sessionTimers: { expiresSeconds: 1800, minSeconds: 120 },
    };
    return context as unknown as SipContext;
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a call that we place', () => {
  test('has its port and pipeline before anybody is rung up', async () => {
    const dialed = new Dialed();
    for (const step of ['session', 'port', 'link'] as const) {
      await dialed.reached(step);
      expect(dialed.invite).toBeUndefined();
      dialed.go(step);
    }
    await dialed.reached('ringing');
    expect([dialed.media.openNow, dialed.links.openNow]).toEqual([1, 1]);
    expect(dialed.invite?.localSdp).toMatch(/m=audio 20000 RTP\/AVP 0 8 /);
    dialed.answer();
    await dialed.done;
  });

  test('says who calls whom, and keeps its Call-ID', async () => {
    const { invite } = await new Dialed().ringing();
    expect(invite?.uri).toBe('sip:+49301234567@carrier.example;transport=tcp');
    expect(invite?.headers).toMatchObject({
      'call-id': 'call-1',
      From: `"A 'B' ' C" <sip:+14155550100@carrier.example>`,
      To: '<sip:+49301234567@carrier.example>',
      'P-Asserted-Identity': `"A 'B' ' C" <sip:+14155550100@carrier.example>`,
      'X-Queue': '7',
    });
    const plain = await new Dialed({ assertsCaller: false, from: { ...call.from, name: null } }).ringing();
    expect(plain.invite?.headers.From).toBe('<sip:+14155550100@carrier.example>');
    expect(plain.invite?.headers).not.toHaveProperty('P-Asserted-Identity');
  });

  test('asks for a session timer, and lets the callee say who refreshes', async () => {
    const { invite } = await new Dialed().ringing();
    expect(invite?.headers).toMatchObject({
      'Session-Expires': '1800',
      'Min-SE': '120',
      Supported: expect.stringContaining('timer'),
    });
  });

  test('rings, is answered, and is a leg like any other', async () => {
    const dialed = await new Dialed().ringing();
    expect(dialed.leg.record()).toMatchObject({ sip_status: null, source_address: '' });
    dialed.provisional(100);
    expect(dialed.rang).toEqual([]);
    dialed.provisional(180);
    dialed.provisional(183, sdpWith('8'));
    expect(dialed.rang).toEqual([180]);
    expect(dialed.leg.record()).toMatchObject({
      sip_status: 183,
      source_address: '192.0.2.9',
      answered_at: null,
    });
    expect(dialed.media.configured).toEqual([]);
    dialed.answer();
    await dialed.done;
    expect(dialed.leg.state).toBe('up');
    expect(dialed.leg.record()).toMatchObject({ sip_status: 200, codec: 'PCMU', answered_at: 0 });
    expect(dialed.media.configured).toMatchObject([
      {
        codec: 'PCMU',
        remoteAddress: '127.0.0.1',
        remotePort: 4000,
        calleeAddress: '192.0.2.9',
        moved: false,
      },
    ]);
    expect(dialed.media.started).toBe(1);
    expect(await dialed.outcomes()).toBe('answered');
    dialed.dialog.emit('destroy', { source: 'network', get: () => '' }, '');
    await settled();
    expect(dialed.records).toMatchObject([{ reason: 'hangup', direction: 'outbound' }]);
    expect([dialed.byes, dialed.cancels]).toEqual([[], 0]);
    expect([dialed.media.openNow, dialed.links.openNow, dialed.bridges.calls]).toEqual([0, 0, 0]);
  });

  test('takes the SDP of a provisional answer when the 200 of that fork has none', async () => {
    const dialed = await new Dialed().ringing();
    dialed.provisional(183, sdpWith('8', '127.0.0.8'), '<sip:callee>;tag=other');
    dialed.provisional(183, usable);
    dialed.answer('');
    await dialed.done;
    expect(dialed.media.configured).toMatchObject([{ codec: 'PCMU', remoteAddress: '127.0.0.1' }]);
  });

  test.each([486, 503, 302])('that is answered %i ends with that status', async (status) => {
    const dialed = await new Dialed().ringing();
    dialed.provisional(180);
    dialed.events?.failed(status, 'no');
    await dialed.done;
    await settled();
    expect(dialed.records).toMatchObject([{ reason: 'dial_failed', sip_status: status, answered_at: null }]);
    expect([dialed.media.openNow, dialed.links.openNow, dialed.bridges.calls]).toEqual([0, 0, 0]);
    expect(await dialed.outcomes()).toBe('dial_failed');
  });

  test.each([
    ['no codec of ours', sdpWith('18')],
    ['no SDP at all', ''],
    ['what is no SDP', 'hello'],
  ])('that is answered with %s is hung up, as if it had been refused with 488', async (_what, body) => {
    const dialed = await new Dialed().ringing();
    dialed.answer(body);
    await dialed.done;
    await settled();
    expect(dialed.byes).toEqual([expect.stringMatching(/text="dial_failed: /)]);
    expect(dialed.records).toMatchObject([{ reason: 'dial_failed', sip_status: 488, answered_at: null }]);
    expect([dialed.media.openNow, dialed.links.openNow, dialed.bridges.calls]).toEqual([0, 0, 0]);
  });
});

describe('the ring time', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('takes the INVITE back when it is over, and frees the role at once', async () => {
    const dialed = await new Dialed({ ringSeconds: 20 }).ringing();
    dialed.provisional(180);
    vi.advanceTimersByTime(19_999);
    expect(dialed.cancels).toBe(0);
    vi.advanceTimersByTime(1);
    await dialed.done;
    expect([dialed.cancels, dialed.bridges.calls]).toEqual([1, 0]);
    await settled();
    expect(dialed.records).toMatchObject([{ reason: 'dial_failed', sip_status: 408 }]);
    dialed.events?.failed(487, 'Request Terminated');
    expect(dialed.records).toHaveLength(1);
  });

  test('that is over when the callee answers costs the callee a BYE', async () => {
    const dialed = await new Dialed({ ringSeconds: 20 }).ringing();
    vi.advanceTimersByTime(20_000);
    dialed.answer();
    await dialed.done;
    await settled();
    expect(dialed.byes).toEqual([expect.stringMatching(/text="dial_failed: /)]);
    expect(dialed.media.configured).toEqual([]);
  });

  test('leaves no timer behind', async () => {
    const dialed = await new Dialed().ringing();
    dialed.events?.failed(486, 'Busy Here');
    await dialed.done;
    const answered = await new Dialed().ringing();
    answered.answer();
    await answered.done;
    answered.leg.end('hangup');
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

const endings = {
  'a hang-up through the API': ['canceled', (dialed: Dialed) => dialed.leg.hangUp()],
  'the end of the session': ['session_ended', (dialed: Dialed) => dialed.bridges.endSession(session.id)],
  'a stop of the gateway': ['drained', (dialed: Dialed) => dialed.bridges.hangUp()],
  'the loss of the engine': ['engine_lost', (dialed: Dialed) => dialed.leg.end('engine_lost', true)],
} as const;

describe.each(Object.entries(endings))('%s', (_name, [reason, end]) => {
  test.each(steps)('while the dial waits for its %s leaves nothing behind', async (step) => {
    const dialed = new Dialed();
    dialed.go(...steps.slice(0, steps.indexOf(step)));
    await dialed.reached(step);
    end(dialed);
    dialed.go(...steps);
    await dialed.done;
    await settled();
    expect(dialed.invite === undefined).toBe(step !== 'ringing');
    // Nobody can be told any more when the engine is lost.
    expect(dialed.cancels).toBe(step === 'ringing' && reason !== 'engine_lost' ? 1 : 0);
    expect(dialed.records).toMatchObject([{ reason, answered_at: null }]);
    expect([dialed.media.openNow, dialed.links.openNow]).toEqual([0, 0]);
    expect([dialed.bridges.calls, dialed.bridges.size]).toEqual([0, 0]);
  });

  test('that crosses the 200 ends the dialog with a BYE', async () => {
    const dialed = await new Dialed().ringing();
    end(dialed);
    dialed.answer();
    await settled();
    expect(dialed.byes).toEqual([expect.stringContaining(`text="${reason}: `)]);
    expect(dialed.bridges.calls).toBe(0);
  });
});

describe('a dial that is stopped by ourselves', () => {
  test.each([
    ['link', 'pipeline_unavailable', 'pipeline_failed'],
    ['port', 'no_media_ports', 'error'],
    ['session', 'session_ended', 'session_ended'],
  ] as const)('at its %s by %s ends with %s', async (step, code, reason) => {
    const dialed = new Dialed().refuse(step, new Refusal(code));
    dialed.go(...steps);
    await dialed.done;
    await settled();
    expect(dialed.records).toMatchObject([{ reason, sip_status: null }]);
    expect(dialed.invite).toBeUndefined();
    expect([dialed.media.openNow, dialed.links.openNow, dialed.bridges.calls]).toEqual([0, 0, 0]);
  });
});
