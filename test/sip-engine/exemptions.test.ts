import { describe, expect, it } from 'vitest';
import { Exemptions } from '../../src/sip-engine/exemptions.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { EngineHarness, request } from '../support/engine-harness.ts';

describe('exempt sources', () => {
  it('are those in the networks that were named last', () => {
    const exemptions = new Exemptions(new FakeEngineClock());
    exemptions.setNetworks(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7/32']);
    const has = (...addresses: string[]) => addresses.map((address) => exemptions.has(address));
    expect(has('192.0.2.9', '2001:db8:1::1', '198.51.100.7')).toEqual([true, true, true]);
    expect(has('192.0.3.9', '2001:db9::1', '198.51.100.8', 'no address')).toEqual([
      false,
      false,
      false,
      false,
    ]);
    exemptions.setNetworks(['192.0.3.0/24']);
    expect(has('192.0.2.9', '192.0.3.9')).toEqual([false, true]);
  });

  it('a network of one family holds nobody of the other, and what is no network is left out', () => {
    const exemptions = new Exemptions(new FakeEngineClock());
    exemptions.setNetworks(['::/0', '192.0.2.0', '192.0.2.0/33', 'nonsense/8', '192.0.2.0/-1', '']);
    expect([exemptions.has('192.0.2.1'), exemptions.has('::1')]).toEqual([false, true]);
  });

  it('are single addresses for as long as was said', () => {
    const clock = new FakeEngineClock();
    const exemptions = new Exemptions(clock);
    exemptions.add('192.0.2.1', 1_000);
    clock.advance(999);
    expect(exemptions.has('192.0.2.1')).toBe(true);
    clock.advance(1);
    expect(exemptions.has('192.0.2.1')).toBe(false);
  });

  it('do not make the table grow without bound: the oldest gives way', () => {
    const exemptions = new Exemptions(new FakeEngineClock());
    for (let n = 0; n <= 10_000; n += 1) exemptions.add(`10.0.${n >> 8}.${n & 255}`, 60_000);
    expect([exemptions.has('10.0.0.0'), exemptions.has('10.0.0.1')]).toEqual([false, true]);
  });
});

describe('the caps of one source', () => {
  const call = (n: number) => request({ branch: `z9hG4bK${n}`, callId: `call-${n}` });

  it.each([{ maxPendingInvitesPerSource: 1 }, { maxTransactionsPerSource: 1 }])(
    '%o is not for an exempt one',
    (limits) => {
      const harness = new EngineHarness(limits);
      harness.app('invite');
      const peer = harness.peer();
      harness.receive(call(1), peer);
      harness.receive(call(2), peer);
      harness.core.exemptions.setNetworks([`${peer.remote.address}/32`]);
      harness.receive(call(3), peer);
      harness.receive(call(4), peer);
      expect(peer.lines).toEqual(['100', '503', '100', '100']);
    },
  );

  it.each([{ maxPendingInvites: 1 }, { maxTransactions: 1 }])('%o is for everybody', (limits) => {
    const harness = new EngineHarness(limits);
    harness.app('invite');
    const peer = harness.peer();
    harness.core.exemptions.add(peer.remote.address, 60_000);
    harness.receive(call(1), peer);
    harness.receive(call(2), peer);
    expect(peer.lines).toEqual(['100', '503']);
  });
});
