import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CallerCall } from '../sip-engine-contract/caller-call.ts';
import { OFFER } from '../support/engine-app.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { TestGateway } from '../support/gateway.ts';
import { headerIn, openCaller, type SipCaller } from '../support/sip-caller.ts';

/**
 * A caller gives up at every point of a set-up. Whatever crosses what, the INVITE has one final answer, the CANCEL has
 * one, and nothing of the call is left. The pipeline is ready when a test says so, and then the 200 goes out.
 */
describe.each(['UDP', 'TCP'] as const)('a caller over %s that gives up', (transport) => {
  let gateway: TestGateway;
  let pipeline: FakePipeline;
  const callers: SipCaller[] = [];
  beforeAll(async () => {
    pipeline = await FakePipeline.start({ readyAfterMs: 'never' });
    gateway = await TestGateway.start({
      settings: { pipeline: { url: pipeline.url, on_failure: 'hangup' } },
    });
  });
  afterEach(async () => {
    await nothingIsLeft();
    for (const caller of callers.splice(0)) await caller.close();
  });
  afterAll(async () => {
    await gateway.stop();
    await pipeline.close();
  });

  async function nothingIsLeft(): Promise<void> {
    const left = async () => {
      const kinds = ['dialogs', 'pending_invites', 'client_transactions'];
      const states = kinds.map((kind) => gateway.metric(`kallglot_engine_state{kind="${kind}"}`));
      return Promise.all([gateway.metric('kallglot_calls_active'), ...states]);
    };
    await expect.poll(left, { timeout: 5_000 }).toEqual([0, 0, 0, 0]);
  }

  async function setUp() {
    const [host = '', port] = gateway.sipAddress(transport === 'UDP' ? 'udp' : 'tcp').split(':');
    const caller = await openCaller(transport, Number(port), host);
    callers.push(caller);
    const id = await gateway.session();
    const call = new CallerCall(caller, id, host, Number(port));
    const links = () => pipeline.connections.filter((one) => one.headers['x-kallglot-session'] === id);
    /** Lets the gateway answer, as soon as it has its link for the n-th INVITE. */
    const ready = async (nth = 1): Promise<void> => {
      await expect.poll(() => links().length, { interval: 2 }).toBe(nth);
      links().at(-1)!.ready();
    };
    return { caller, call, ready };
  }

  /** The final answers to INVITE and CANCEL; a call that came up all the same is ended. */
  async function outcome(caller: SipCaller, call: CallerCall): Promise<string> {
    const finals = (method: string) =>
      caller.seen.filter(
        (message) => /^SIP\/2\.0 [2-6]/.test(message) && headerIn(message, 'CSeq').endsWith(method),
      );
    await expect.poll(() => finals('CANCEL').length).toBe(1);
    await expect.poll(() => new Set(finals('INVITE')).size).toBe(1);
    const [answer] = finals('INVITE') as [string];
    if (answer.startsWith('SIP/2.0 200')) {
      call.learn(answer);
      call.send('ACK');
      call.send('BYE');
      await expect.poll(() => finals('BYE').length).toBe(1);
    } else call.ackFailure(answer);
    return [finals('INVITE')[0]!, finals('CANCEL')[0]!].map((message) => message.slice(8, 11)).join(' ');
  }

  test('in the same breath, before any 100', async () => {
    const { caller, call } = await setUp();
    call.send('INVITE', OFFER);
    call.cancel();
    expect(await outcome(caller, call)).toBe('487 200');
  });

  test('after the 100', async () => {
    const { caller, call } = await setUp();
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 100');
    call.cancel();
    expect(await outcome(caller, call)).toBe('487 200');
  });

  test('after the 180', async () => {
    const { caller, call } = await setUp();
    call.send('INVITE', OFFER);
    await caller.next('SIP/2.0 180');
    call.cancel();
    expect(await outcome(caller, call)).toBe('487 200');
  });

  test('around the 200: it came too late, or in time, and both sides know which', async () => {
    const outcomes: string[] = [];
    for (let ms = 0; ms < 24; ms += 1) {
      const { caller, call, ready } = await setUp();
      call.send('INVITE', OFFER);
      await caller.next('SIP/2.0 100');
      await ready();
      await sleep(ms / 2);
      call.cancel();
      outcomes.push(await outcome(caller, call));
    }
    for (const one of outcomes) expect(['487 200', '200 200']).toContain(one);
  });

  test('with the 200 on the wire: the call is up, until the BYE', async () => {
    const { caller, call, ready } = await setUp();
    call.send('INVITE', OFFER);
    await ready();
    await caller.next('SIP/2.0 200');
    call.cancel();
    expect(await outcome(caller, call)).toBe('200 200');
  });

  test('before the INVITE has come: nothing is there to cancel, and the call comes up', async () => {
    const { caller, call, ready } = await setUp();
    call.inviteBranch = `z9hG4bK${call.callId.slice(0, 8)}`;
    call.cancel();
    await caller.next('SIP/2.0 481');
    call.send('INVITE', OFFER, call.inviteBranch);
    await ready();
    call.learn(await caller.next('SIP/2.0 200'));
    call.send('ACK');
    await call.end();
  });

  test('again and again: its role is free each time', async () => {
    const { caller, call, ready } = await setUp();
    for (let i = 0; i < 5; i++) {
      call.send('INVITE', OFFER);
      await caller.next('SIP/2.0 180');
      call.cancel();
      await call.cancelled();
    }
    call.send('INVITE', OFFER);
    await ready(6);
    call.learn(await caller.next('SIP/2.0 200'));
    call.send('ACK');
    await call.end();
  });
});
