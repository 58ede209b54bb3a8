import { describe, expect, it } from 'vitest';
import { envelopeOf } from '../../src/sip-engine/envelope.ts';
import { parseMessage, type SipRequest, type SipResponse } from '../../src/sip-engine/message.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import { Transactions } from '../../src/sip-engine/transactions.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';
import { RecorderFlow, request, response } from '../support/engine-harness.ts';

/** The machines as the engine runs them: with keys, flows and users. */
function setUp(transport: 'udp' | 'tcp' = 'udp') {
  const clock = new FakeEngineClock();
  const stats = newStats();
  const transactions = new Transactions(
    clock,
    stats,
    { maxTransactions: 10, maxTransactionsPerSource: 5 },
    () => false,
  );
  const flow = new RecorderFlow({ address: '198.51.100.7', port: 5060 }, transport);
  const receive = (method: string) => {
    const message = parseMessage(Buffer.from(request({ method }))) as SipRequest;
    const envelope = envelopeOf(message)!;
    return transactions.createServer(
      message,
      envelope,
      flow,
      () => flow,
      () => {},
    );
  };
  const send = (method: string) => {
    const heard: (number | 'nothing')[] = [];
    const message = parseMessage(Buffer.from(request({ method }))) as SipRequest;
    const client = transactions.createClient(message, 'z9hG4bKa', flow, {
      response: ({ status }) => heard.push(status),
      failed: (status) => heard.push('nothing', status),
    });
    const answer = (status: string) =>
      client.receive(parseMessage(Buffer.from(response(message, status))) as SipResponse);
    return { heard, answer };
  };
  return { clock, stats, transactions, flow, receive, send };
}

describe('an answer that cannot be sent', () => {
  it('leaves an INVITE as it is: the next retransmission may get it', () => {
    const { stats, flow, receive, clock } = setUp();
    const invite = receive('INVITE');
    flow.broken = true;
    invite.respond(486, Buffer.from('busy'));
    expect(stats).toMatchObject({ answersUnsent: 1, serverTransactions: 1 });
    flow.broken = false;
    clock.advance(500);
    expect(flow.raw).toEqual(['busy']);
  });

  it('ends any other transaction', () => {
    const { stats, flow, receive } = setUp();
    const options = receive('OPTIONS');
    flow.broken = true;
    options.respond(200, Buffer.from('ok'));
    expect(stats).toMatchObject({ answersUnsent: 1, serverTransactions: 0 });
  });
});

describe('a request of ours', () => {
  it('that was answered and whose ACK cannot be sent has its answer, and nothing else comes', () => {
    const { flow, send, stats, clock } = setUp();
    const { heard, answer } = send('INVITE');
    flow.broken = true;
    answer('486 Busy Here');
    clock.advance(64_000);
    expect(heard).toEqual([486]);
    expect(stats.clientTransactions).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('that cannot be sent is answered 503', () => {
    const { flow, send, stats, clock } = setUp();
    flow.broken = true;
    const { heard } = send('OPTIONS');
    expect(heard).toEqual(['nothing', 503]);
    expect(stats.clientTransactions).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('that nobody answers is answered 408', () => {
    const { send, clock } = setUp();
    const { heard } = send('INVITE');
    clock.advance(32_000);
    expect(heard).toEqual(['nothing', 408]);
  });
});
