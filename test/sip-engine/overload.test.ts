import { describe, expect, it } from 'vitest';
import { Load } from '../../src/sip-engine/load.ts';
import { LoadProbe } from '../../src/sip-engine/load-probe.ts';
import { PeerLoads } from '../../src/sip-engine/overload-control.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import { parseVia } from '../../src/sip-engine/via.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { DIALOG_ID, EngineHarness, establish, request, response } from '../support/engine-harness.ts';
import { OutgoingCall } from '../support/outgoing-call.ts';

/** Samples of the delay, as many as a probe takes in so many seconds. */
const sample = (load: Load, ms: number, seconds: number): void => {
  for (let i = 0; i < seconds * 20; i += 1) load.delay(ms);
};
const call = (n: number) => request({ branch: `z9hG4bK${n}`, callId: `call-${n}` });

describe('the load', () => {
  it('is too much when the delay stays over 200 ms, until it is under 100 ms', () => {
    const load = new Load(newStats());
    const refused = () => [load.overload(false), load.overload(true)];
    sample(load, 180, 10);
    expect(refused()).toEqual([undefined, undefined]);
    sample(load, 300, 5);
    expect(refused()).toEqual(['late', undefined]);
    sample(load, 150, 5);
    expect(refused()).toEqual(['late', undefined]);
    sample(load, 0, 1);
    expect(refused()).toEqual([undefined, undefined]);
  });

  it('is too much for known sources when it is very late', () => {
    const load = new Load(newStats());
    sample(load, 900, 10);
    expect(load.overload(true)).toBe('late');
    sample(load, 500, 10);
    expect(load.overload(true)).toBe('late');
    sample(load, 300, 10);
    expect([load.overload(false), load.overload(true)]).toEqual(['late', undefined]);
  });

  it('is not too much for one stall, however long', () => {
    const load = new Load(newStats());
    load.delay(60_000);
    expect(load.overload(false)).toBeUndefined();
  });

  it('is too much when memory is short, until there is enough', () => {
    const load = new Load(newStats());
    const at = (share: number) => {
      load.memory(share);
      return load.overload(true);
    };
    expect([at(0.89), at(0.91), at(0.86), at(0.84)]).toEqual([undefined, 'memory', 'memory', undefined]);
  });

  it('asks for less before anything is refused, and for nothing when memory is short', () => {
    const load = new Load(newStats());
    expect(load.lossPercent).toBe(0);
    sample(load, 180, 10);
    expect(load.lossPercent).toBe(20);
    sample(load, 2_000, 10);
    expect(load.lossPercent).toBe(100);
    sample(load, 0, 10);
    load.memory(0.95);
    expect(load.lossPercent).toBe(100);
  });

  it('is measured every 50 ms: by what comes late, and by what waits', () => {
    const clock = new FakeEngineClock();
    const stats = newStats();
    let waits = 0;
    const probe = new LoadProbe(
      clock,
      new Load(stats),
      () => waits,
      () => 0.5,
    );
    clock.advance(1_000);
    expect(stats.delayMs).toBe(0);
    waits = 400;
    clock.advance(5_000);
    expect(stats.delayMs).toBe(400);
    waits = 0;
    clock.advance(5_000);
    for (let i = 0; i < 60; i += 1) {
      clock.after(10, () => clock.stall(300));
      clock.advance(60);
    }
    expect(stats.delayMs).toBeGreaterThan(200);
    probe.close();
    expect(clock.pending).toBe(0);
  });
});

describe('an engine that is overloaded', () => {
  it.each([
    ['late', 'overloadedLate', (load: Load) => sample(load, 1_500, 5)],
    ['short of memory', 'overloadedMemory', (load: Load) => load.memory(0.99)],
  ] as const)('and %s refuses what is new with 503, and serves calls that are up', (_, counter, strain) => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    const { app, toTag } = establish(harness, peer);
    strain(harness.core.load);
    harness.receive(call(2), peer);
    expect(peer.lines.at(-1)).toBe('503');
    expect(peer.lastHeader('Retry-After')).toBe('5');
    harness.receive(request({ method: 'OPTIONS', branch: 'z9hG4bKo', callId: 'o' }), peer);
    expect(peer.lines.at(-1)).toBe('503');
    expect(harness.core.stats).toMatchObject({ overloaded: 2, [counter]: 2 });
    harness.receive(request({ method: 'INFO', branch: 'z9hG4bKi', cseq: 2, toTag }), peer);
    expect(app.methods.at(-1)).toBe('INFO');
    app.request(DIALOG_ID, 'OPTIONS');
    harness.receive(response(peer.last, '200 OK'), peer);
    expect(app.methods.at(-1)).toBe('200');
  });

  it('takes new calls again when it is over', () => {
    const harness = new EngineHarness();
    harness.app('invite');
    const peer = harness.peer();
    harness.core.load.memory(0.99);
    harness.receive(call(1), peer);
    harness.core.load.memory(0.5);
    harness.receive(call(2), peer);
    expect(peer.lines).toEqual(['503', '100']);
  });
});

describe('a source that keeps the application busier than others may', () => {
  /** An application that has not answered so many requests of a source. */
  function busy(own: number, others: number) {
    const harness = new EngineHarness({ maxUndecided: 10 });
    const app = harness.app('invite');
    const flood = harness.peer('203.0.113.66');
    for (let n = 0; n < own; n += 1) harness.receive(call(n), flood);
    for (let n = 0; n < others; n += 1) {
      harness.receive(call(100 + n), harness.peer(`198.51.100.${n}`));
    }
    return { harness, app, flood };
  }

  it('gets 503 when it has its share, and others are served', () => {
    const { harness, flood } = busy(10, 0);
    harness.receive(call(20), flood);
    expect(flood.lines.at(-1)).toBe('503');
    expect(harness.core.stats).toMatchObject({ overloadedShare: 1, undecided: 10 });
    const good = harness.peer('198.51.100.77');
    harness.receive(call(21), good);
    expect(good.lines).toEqual(['100']);
  });

  it('has a smaller share the more others there are', () => {
    const { harness, flood } = busy(6, 4);
    harness.receive(call(20), flood);
    expect(flood.lines.at(-1)).toBe('503');
  });

  it('is not held up while the application keeps pace', () => {
    const { harness, app, flood } = busy(9, 0);
    app.respond(app.transactionId, '401 Unauthorized');
    harness.receive(call(20), flood);
    harness.receive(call(21), flood);
    expect(flood.lines.filter((line) => line === '503')).toEqual([]);
    app.respond(app.transactionId, '180 Ringing');
    harness.receive(call(22), flood);
    expect(flood.lines.filter((line) => line === '503')).toEqual([]);
  });

  it('is not held up when it is exempt', () => {
    const { harness, flood } = busy(10, 0);
    harness.core.exemptions.add(flood.remote.address, 60_000);
    harness.receive(call(20), flood);
    expect(flood.lines.at(-1)).toBe('100');
  });

  it('many sources with one request each are all served', () => {
    const { harness } = busy(0, 50);
    expect(harness.core.stats).toMatchObject({ overloaded: 0, undecided: 50 });
  });
});

describe('overload control with peers (RFC 7339)', () => {
  const offering = (viaParams: string) => request({ viaParams });
  const viaOf = (harness: EngineHarness, text: string) => {
    const peer = harness.peer();
    harness.app('invite');
    harness.receive(text, peer);
    return parseVia(peer.lastHeader('Via') ?? '')?.params;
  };

  it('a peer that offers it is told how much less to send, and for how long', () => {
    const harness = new EngineHarness();
    sample(harness.core.load, 180, 10);
    const params = viaOf(harness, offering(';oc;oc-algo="loss,A"'));
    expect(params?.get('oc')).toBe('20');
    expect(params?.get('oc-algo')).toBe('"loss"');
    expect(params?.get('oc-validity')).toBe('1000');
    expect(params?.get('oc-seq')).toMatch(/^\d{10}\.\d{3}$/);
  });

  it('a peer that offers it is told that nothing is needed while nothing is', () => {
    const params = viaOf(new EngineHarness(), offering(';oc;oc-algo="loss"'));
    expect([params?.get('oc'), params?.get('oc-validity')]).toEqual(['0', '0']);
  });

  it.each([';oc', ';oc;oc-algo="rate"', ';oc=50;oc-algo="loss"', ''])(
    'a Via with "%s" is left as it is',
    (offer) => {
      const params = viaOf(new EngineHarness(), offering(offer));
      expect([params?.has('oc-validity'), params?.has('oc-seq')]).toEqual([false, false]);
    },
  );

  it('a peer that offers it gets 503 without Retry-After: it shall send less, not nothing', () => {
    const harness = new EngineHarness();
    const peer = harness.peer();
    harness.core.load.memory(0.99);
    harness.receive(offering(';oc;oc-algo="loss"'), peer);
    expect(peer.lines).toEqual(['503']);
    expect(peer.lastHeader('Retry-After')).toBeUndefined();
    expect(parseVia(peer.lastHeader('Via') ?? '')?.params.get('oc')).toBe('100');
  });

  describe('a peer that we call', () => {
    const peer = { address: '192.0.2.9', port: 5060 };
    const via = (params: string) => parseVia(`SIP/2.0/UDP us;branch=z9hG4bK1;${params}`)!;
    function learned(...answers: string[]) {
      const clock = new FakeEngineClock();
      let random = 0;
      const loads = new PeerLoads(clock, () => random);
      for (const answer of answers) loads.learn(peer, via(answer));
      const sheds = (at: number) => {
        random = at;
        return loads.sheds(peer);
      };
      return { clock, sheds };
    }

    it('is spared the share of new calls that it names', () => {
      const { sheds } = learned('oc=30;oc-algo="loss";oc-validity=1000;oc-seq=5.1');
      expect([sheds(0), sheds(0.29), sheds(0.3), sheds(0.99)]).toEqual([true, true, false, false]);
    });

    it('for as long as it says, 500 ms if it says nothing, a minute at most', () => {
      for (const [validity, ms] of [
        [';oc-validity=2000', 2_000],
        ['', 500],
        [';oc-validity=99999999999', 60_000],
      ] as const) {
        const { clock, sheds } = learned(`oc=100;oc-algo="loss"${validity};oc-seq=1.1`);
        clock.advance(ms - 1);
        expect(sheds(0.5)).toBe(true);
        clock.advance(1);
        expect(sheds(0.5)).toBe(false);
      }
    });

    it('is believed its latest word, whatever comes later', () => {
      const latest = 'oc=0;oc-algo="loss";oc-validity=0;oc-seq=9.2';
      expect(learned('oc=100;oc-algo="loss";oc-seq=9.1', latest).sheds(0)).toBe(false);
      expect(learned(latest, 'oc=100;oc-algo="loss";oc-seq=9.1').sheds(0)).toBe(false);
    });

    it.each(['oc;oc-algo="loss"', 'oc=101;oc-algo="loss"', 'oc=50;oc-algo="rate"', 'oc=50', 'x'])(
      'that says "%s" says nothing',
      (answer) => {
        expect(learned(answer).sheds(0)).toBe(false);
      },
    );
  });

  it('a new call to an overloaded peer is not sent; the application gets 503, and calls that are up go on', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const first = new OutgoingCall(harness, app);
    expect(parseVia(first.flow.lastHeader('Via') ?? '')?.params.get('oc-algo')).toBe('"loss"');
    first.establish();
    const loaded = response(first.sent, '180 Ringing').replace(
      /;oc;oc-algo="loss"/,
      ';oc=100;oc-algo="loss";oc-validity=5000;oc-seq=1.1',
    );
    const { flow, dialogId } = first;
    harness.receive(loaded, flow);
    const before = harness.opened.length;
    const second = new OutgoingCall(harness, app, { uri: 'sip:carol@198.51.100.7' });
    expect(second.answer[0]).toBe('OK');
    return Promise.resolve().then(() => {
      expect(harness.opened.slice(before).flatMap((flow) => flow.lines)).toEqual([]);
      expect(app.methods.at(-1)).toBe('503');
      expect(harness.core.stats.callsShed).toBe(1);
      app.request(dialogId, 'INFO');
      expect(flow.lines.at(-1)).toBe('INFO');
    });
  });
});
