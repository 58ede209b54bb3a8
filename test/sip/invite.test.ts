import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { Bridges } from '../../src/bridge/bridges.ts';
import type { Leg } from '../../src/bridge/leg.ts';
import type { RtpPort } from '../../src/media/media-port.ts';
import type { PipelineLink } from '../../src/pipeline/pipeline-link.ts';
import type { Session } from '../../src/sessions/session.ts';
import type { Admission } from '../../src/sip/admission.ts';
import { handleInvite } from '../../src/sip/invite.ts';
import type { SipContext } from '../../src/sip/sip-context.ts';
import type { SipDialog, SipRequest, SipResponse, SrfConnection } from '../../src/sip/srf-port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { RecentRefusals } from '../../src/telemetry/recent-refusals.ts';
import { noKeyReports, noStreams, noTranscripts, plainBridge } from '../support/fake-rooms.ts';

const session = {
  id: 'sess_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  organizationId: 'acme',
  mode: 'bidirectional_translation',
} as unknown as Session;
const offer = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 4000 RTP/AVP 0',
  '',
].join('\r\n');

/** The steps of a set-up at which something is awaited, in their order. */
const steps = ['admission', 'session', 'port', 'save', 'link', 'answer'] as const;
type Step = (typeof steps)[number];

/** An INVITE through the real handler and the real bridges; each step waits until the test lets it go on. */
class SetUp {
  readonly request: EventEmitter & SipRequest;
  readonly sent: number[] = [];
  readonly byes: string[] = [];
  readonly open = { ports: 0, links: 0 };
  readonly records: string[] = [];
  readonly refusals = new RecentRefusals();
  /** The step that fails by an error of ours. */
  broken: Step | undefined;
  /** Of the session that an inbound-first call makes. */
  readonly made: ('saved' | 'abandoned')[] = [];
  readonly bridges: Bridges;
  readonly done: Promise<void>;
  dialog = new EventEmitter();
  readonly #reached = new Map<Step, () => void>();
  readonly #go = new Map<Step, () => void>();
  readonly #waits = new Map<Step, { reached: Promise<void>; go: Promise<void> }>();

  constructor(body: string = offer) {
    for (const step of steps) {
      const reached = new Promise<void>((resolve) => this.#reached.set(step, resolve));
      this.#waits.set(step, { reached, go: new Promise<void>((resolve) => this.#go.set(step, resolve)) });
    }
    this.request = Object.assign(new EventEmitter(), {
      method: 'INVITE',
      uri: `sip:${session.id}@127.0.0.1`,
      body,
      source: 'network',
      source_address: '127.0.0.1',
      source_port: 5060,
      protocol: 'udp',
      headers: {},
      get: (name: string) =>
        ({
          Contact: '<sip:pbx@127.0.0.1>',
          'Call-ID': 'call-1',
          From: '<sip:pbx@127.0.0.1>',
          CSeq: '1 INVITE',
          'Content-Type': 'application/sdp',
        })[name],
    }) as unknown as EventEmitter & SipRequest;
    this.bridges = this.#makeBridges();
    this.done = handleInvite(this.#context(), this.request, this.#response());
  }

  reached(step: Step): Promise<void> {
    return this.#waits.get(step)!.reached;
  }

  go(...which: Step[]): void {
    for (const step of which) this.#go.get(step)?.();
  }

  async #pause(step: Step): Promise<void> {
    this.#reached.get(step)?.();
    await this.#waits.get(step)!.go;
    if (step === this.broken) throw new TypeError('an error of ours');
  }

  #makeBridges(): Bridges {
    return new Bridges({
      media: {
        ...noStreams,
        open: async () => {
          this.open.ports++;
          await this.#pause('port');
          return this.#port();
        },
        usage: () => ({ used: 0, total: 1, forNewSessions: 1 }),
        workers: () => [],
        deaths: 0,
        close: async () => undefined,
      },
      links: { inputFormat: () => MULAW_8K, create: () => this.#link(), close: async () => undefined },
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
      legAnswered: () => undefined,
      keepRecord: async (_leg: Leg, record) => {
        this.records.push(record.reason);
      },
      linkClosed: () => undefined,
      keys: noKeyReports,
      legRinging: () => undefined,
      written: async () => undefined,
      transcripts: noTranscripts,
    });
  }

  async #save(): Promise<void> {
    await this.#pause('save');
    this.made.push('saved');
  }

  #port(): RtpPort {
    let closed = false;
    return {
      address: '127.0.0.1',
      rtpPort: 20_000,
      inbound: AudioRing.create(8192),
      outbound: AudioRing.create(8192),
      configure: () => undefined,
      hear: () => undefined,
      startSending: () => undefined,
      stats: () => ({ silentForMs: 0 }),
      close: async () => {
        if (!closed) this.open.ports--;
        closed = true;
        return {};
      },
    } as unknown as RtpPort;
  }

  #link(): PipelineLink {
    this.open.links++;
    let closed = false;
    return {
      open: (signal: AbortSignal) =>
        Promise.race([
          this.#pause('link'),
          new Promise<void>((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason)),
          ),
        ]),
      attach: () => undefined,
      startPlaying: () => undefined,
      detach: () => undefined,
      setHeld: () => undefined,
      stats: () => ({}),
      close: async () => {
        if (!closed) this.open.links--;
        closed = true;
      },
    } as unknown as PipelineLink;
  }

  #response(): SipResponse {
    const { sent } = this;
    return {
      get finalResponseSent() {
        return sent.some((status) => status >= 200);
      },
      send: (status: number) => void sent.push(status),
    };
  }

  #context(): SipContext {
    const srf: Pick<SrfConnection, 'carry' | 'answer'> = {
      carry: () => undefined,
      answer: (_request, _response, _options, onDialog) => {
        void this.#pause('answer').then(() => {
          const destroy = async ({ headers }: { headers: Record<string, string> }) => {
            this.byes.push(headers.Reason as string);
          };
          onDialog(undefined, Object.assign(this.dialog, { destroy }) as unknown as SipDialog);
        });
      },
    };
    const admission: Pick<Admission, 'admitInvite' | 'succeeded'> = {
      admitInvite: async () => {
        await this.#pause('admission');
        const newSession = {
          session,
          save: () => this.#save(),
          abandon: () => void this.made.push('abandoned'),
        };
        const trunk = { concurrencyLimit: 1, codecs: null, srtp: 'off' as const };
        return { session, newSession, role: undefined, ...trunk, sourceAddress: '127.0.0.1' };
      },
      succeeded: () => undefined,
    };
    return {
      admission: admission as Admission,
      bridges: this.bridges,
      selfTests: {
        reserve: () => {
          throw new Error('no self-tests here');
        },
      },
      registrations: { update: async () => undefined },
      sessionTimers: { expiresSeconds: 1800, minSeconds: 90 },
      srf: () => srf as SrfConnection,
      log: createLog('silent'),
      metrics: createMetrics(),
      refusals: this.refusals,
      now: () => 0,
    };
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a CANCEL', () => {
  test.each(steps)('while the set-up waits for its %s leaves nothing behind', async (step) => {
    const setUp = new SetUp();
    setUp.go(...steps.slice(0, steps.indexOf(step)));
    await setUp.reached(step);
    setUp.request.emit('cancel');
    setUp.go(...steps);
    await setUp.done;
    await settled();
    expect(setUp.sent).toEqual([]);
    expect(setUp.open).toEqual({ ports: 0, links: 0 });
    expect([setUp.bridges.calls, setUp.bridges.size]).toEqual([0, 0]);
    expect(setUp.records).toEqual(step === 'admission' ? [] : ['canceled']);
    const saved = steps.indexOf(step) >= steps.indexOf('save');
    const made = saved ? ['saved', 'abandoned'] : ['abandoned'];
    expect(setUp.made).toEqual(step === 'admission' ? [] : made);
  });

  test('that crosses our 200 ends the dialog with a BYE', async () => {
    const setUp = new SetUp();
    setUp.go('admission', 'session', 'port', 'save', 'link');
    await setUp.reached('answer');
    setUp.request.emit('cancel');
    setUp.go('answer');
    await settled();
    expect(setUp.byes).toEqual([expect.stringMatching(/text="canceled: /)]);
    expect(setUp.made).toEqual(['saved', 'abandoned']);
  });
});

describe('the end of the session', () => {
  test.each(['session', 'port', 'save', 'link'] as const)(
    'while the set-up waits for its %s refuses the call with 410',
    async (step) => {
      const setUp = new SetUp();
      setUp.go(...steps.slice(0, steps.indexOf(step)));
      await setUp.reached(step);
      setUp.bridges.endSession(session.id);
      setUp.go(...steps);
      await setUp.done;
      await settled();
      expect(setUp.sent).toEqual([410]);
      expect(setUp.open).toEqual({ ports: 0, links: 0 });
      expect([setUp.bridges.calls, setUp.bridges.size]).toEqual([0, 0]);
    },
  );
});

describe('a refusal by row 13', () => {
  test('comes before a port is taken, and gives the place back', async () => {
    const setUp = new SetUp(offer.replace('RTP/AVP 0', 'RTP/AVP 18'));
    setUp.go('admission');
    await setUp.done;
    expect(setUp.sent).toEqual([488]);
    expect(setUp.open.ports).toBe(0);
    expect(setUp.bridges.calls).toBe(0);
  });
});

describe('an error of ours', () => {
  test.each(['admission', 'session', 'port', 'save', 'link'] as const)(
    'in the %s refuses the call with 500, is written down as any refusal, and leaves nothing behind',
    async (step) => {
      const setUp = new SetUp();
      setUp.broken = step;
      setUp.go(...steps);
      await setUp.done;
      await settled();
      expect(setUp.sent).toEqual([500]);
      expect(setUp.refusals.list()).toMatchObject([
        { code: 'internal_error', status: 500, call_id: 'call-1' },
      ]);
      expect([setUp.bridges.calls, setUp.bridges.size]).toEqual([0, 0]);
      expect(setUp.open.links).toBe(0);
    },
  );
});

describe('a call that is up', () => {
  test('ends once, whatever comes after its BYE', async () => {
    const setUp = new SetUp();
    setUp.go(...steps);
    await setUp.done;
    await settled();
    expect(setUp.bridges.calls).toBe(1);
    setUp.dialog.emit('destroy', setUp.request, 'normal release');
    setUp.bridges.endSession(session.id);
    await settled();
    expect(setUp.records).toEqual(['hangup']);
    expect(setUp.made).toEqual(['saved']);
    expect(setUp.byes).toEqual([]);
    expect(setUp.open).toEqual({ ports: 0, links: 0 });
  });

  test.each([
    ['ACK timeout', 'ack_timeout'],
    ['Session timer expired', 'session_timer'],
    ['CANCEL after 200 OK', 'canceled'],
    ['ACK-BYE due to cancel race condition', 'canceled'],
  ])('that the engine ends for "%s" is recorded as %s', async (reason, recorded) => {
    const setUp = new SetUp();
    setUp.go(...steps);
    await setUp.done;
    await settled();
    setUp.dialog.emit('destroy', { ...setUp.request, source: 'application' }, reason);
    await settled();
    expect(setUp.records).toEqual([recorded]);
  });

  test('answers a re-INVITE that it cannot follow with 488 and stays as it was', async () => {
    const setUp = new SetUp();
    setUp.go(...steps);
    await setUp.done;
    await settled();
    const sent: number[] = [];
    const reinvite = { ...setUp.request, get: setUp.request.get, body: offer.replace('AVP 0', 'AVP 18') };
    setUp.dialog.emit('modify', reinvite, {
      finalResponseSent: false,
      send: (status: number) => sent.push(status),
    });
    expect(sent).toEqual([488]);
    expect(setUp.bridges.calls).toBe(1);
  });
});
