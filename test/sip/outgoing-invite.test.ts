import { EventEmitter } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { type CreateUac, OutgoingInvite } from '../../src/sip/outgoing-invite.ts';
import type { SipAnswer } from '../../src/sip/srf-port.ts';

/** drachtio-srf's `createUAC` in the hands of a test. */
class FakeUac extends EventEmitter {
  uri = '';
  options!: Parameters<CreateUac>[1];
  progress!: Parameters<CreateUac>[2];
  final!: Parameters<CreateUac>[3];
  readonly cancel = vi.fn();
  readonly events = { provisional: vi.fn(), update: vi.fn(), answered: vi.fn(), failed: vi.fn() };
  readonly headers = { 'X-Queue': '7', 'Session-Expires': '1800' };
  sent = 0;

  invite(credentials: { username: string; password: string } | null = null): OutgoingInvite {
    const create: CreateUac = (uri, options, progress, callback) => {
      this.sent++;
      Object.assign(this, { uri, options, progress, final: callback });
    };
    const request = { uri: 'sip:b@example.com', localSdp: 'v=0', headers: this.headers, credentials };
    return new OutgoingInvite(create, request, this.events);
  }
}

const isSettled = async (promise: Promise<void>): Promise<boolean> => {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

describe('an INVITE by createUAC', () => {
  test('that is canceled before the engine has it is canceled as soon as it has', async () => {
    const uac = new FakeUac();
    const canceled = uac.invite().cancel();
    expect(uac.cancel).not.toHaveBeenCalled();
    uac.progress.cbRequest(null, uac);
    expect(uac.cancel).toHaveBeenCalledOnce();
    expect(await isSettled(canceled)).toBe(false);
    uac.final({ status: 487, reason: 'Request Terminated' });
    expect(await isSettled(canceled)).toBe(true);
    expect(uac.events.failed).toHaveBeenCalledExactlyOnceWith(487, 'Request Terminated', undefined);
  });

  test('is canceled once, however often that is wanted', async () => {
    const uac = new FakeUac();
    const invite = uac.invite();
    uac.progress.cbRequest(null, uac);
    const both = [invite.cancel(), invite.cancel()];
    uac.final({ status: 487 });
    await Promise.all(both);
    await invite.cancel();
    expect(uac.cancel).toHaveBeenCalledOnce();
  });

  test('is given up when an engine that was lost never says how it ended', async () => {
    vi.useFakeTimers();
    const uac = new FakeUac();
    const canceled = uac.invite().cancel();
    await vi.advanceTimersByTimeAsync(33_000);
    await canceled;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('that cannot be canceled any more does not hold up who waits for that', async () => {
    const uac = new FakeUac();
    const invite = uac.invite();
    uac.cancel.mockImplementation(() => {
      throw new Error('the link is down');
    });
    uac.progress.cbRequest(null, uac);
    await invite.cancel();
  });

  test('that has its answer is not canceled any more', async () => {
    const uac = new FakeUac();
    const invite = uac.invite();
    uac.progress.cbRequest(null, uac);
    uac.final({ status: 486, reason: 'Busy Here' });
    await invite.cancel();
    expect(uac.cancel).not.toHaveBeenCalled();
  });

  test('tells the answer of the peer, and where a redirection leads without following it', () => {
    const uac = new FakeUac();
    uac.invite();
    const moved = { status: 302, reason: 'Moved Temporarily', res: { get: () => '<sip:c@example.com>' } };
    uac.final(moved);
    expect(uac.events.failed).toHaveBeenCalledWith(302, 'Moved Temporarily', '<sip:c@example.com>');
    const answer = { status: 180 } as SipAnswer;
    uac.progress.cbProvisional(answer);
    expect(uac.events.provisional).toHaveBeenCalledWith(answer);
  });

  test('has its UPDATEs answered by us', async () => {
    const uac = new FakeUac();
    uac.invite();
    uac.progress.cbRequest(null, uac);
    const answeredByItself = vi.fn();
    uac.on('update', answeredByItself);
    await Promise.resolve();
    uac.emit('update', 'request', 'response');
    expect(uac.events.update.mock.calls).toEqual([['request', 'response']]);
    expect(answeredByItself).not.toHaveBeenCalled();
  });

  test('that the engine could not send is a 503 (RFC 3261 §8.1.3.1)', () => {
    const uac = new FakeUac();
    uac.invite();
    uac.progress.cbRequest(new Error('Error creating sip transaction'));
    uac.final(new Error('Error creating sip transaction'));
    expect(uac.events.failed).toHaveBeenCalledExactlyOnceWith(
      503,
      'Error creating sip transaction',
      undefined,
    );
  });

  describe('that is challenged', () => {
    const credentials = { username: 'acme', password: 'secret' };
    const challenged = (given: Partial<SipAnswer> = {}, challenge = 'Digest realm="r", nonce="n"') => {
      const headers: Record<string, string> = {
        ...{ 'WWW-Authenticate': challenge, From: '<sip:us@192.0.2.1>;tag=mine', CSeq: '7 INVITE' },
      };
      const where = { source_address: '192.0.2.9', source_port: 5061, protocol: 'tls' };
      const res = { status: 401, ...where, ...given, get: (name: string) => headers[name] };
      return { status: 401, reason: 'Unauthorized', res };
    };

    test('is sent once more in the same call, with credentials, to whoever asked for them', () => {
      const uac = new FakeUac();
      uac.invite(credentials);
      expect([uac.options.headers.Authorization, uac.options.proxy]).toEqual([undefined, undefined]);
      uac.final(challenged());
      expect(uac.options.headers).toMatchObject({
        ...{ 'X-Queue': '7', From: '<sip:us@192.0.2.1>;tag=mine', CSeq: '8 INVITE' },
        Authorization: expect.stringContaining('Digest username="acme", realm="r", nonce="n"'),
      });
      expect([uac.sent, uac.options.proxy]).toEqual([2, 'sip:192.0.2.9:5061;transport=tls']);
      uac.final(challenged());
      expect([uac.sent, uac.events.failed.mock.calls]).toEqual([2, [[401, 'Unauthorized', undefined]]]);
    });

    test('has its credentials in the call too, where requests may be challenged as well', () => {
      const uac = new FakeUac();
      uac.invite(credentials);
      const dialog = {} as NonNullable<Parameters<typeof uac.final>[1]>;
      uac.final(null, dialog);
      expect(dialog.auth).toEqual(credentials);
    });

    test('from an IPv6 address is sent there', () => {
      const uac = new FakeUac();
      uac.invite(credentials);
      uac.final(challenged({ source_address: '2001:db8::1', source_port: 5060, protocol: 'udp' }));
      expect(uac.options.proxy).toBe('sip:[2001:db8::1]:5060;transport=udp');
    });

    test('goes on to no third one, whatever is answered in between', () => {
      const uac = new FakeUac();
      uac.invite(credentials);
      for (let n = 0; n < 10 && uac.events.failed.mock.calls.length === 0; n++) {
        uac.progress.cbProvisional({ ...challenged().res, status: 180 } as unknown as SipAnswer);
        uac.final(challenged());
      }
      expect(uac.sent).toBe(2);
    });

    test('ends where there are no credentials, or it was canceled', async () => {
      const without = new FakeUac();
      without.invite();
      without.final(challenged());
      const canceled = new FakeUac();
      const done = canceled.invite(credentials).cancel();
      canceled.final(challenged());
      await done;
      expect([without, canceled].map(({ sent }) => sent)).toEqual([1, 1]);
    });
  });

  describe('that is answered 422', () => {
    const tooShort = (minSession: string, cseq = 1) => {
      const headers: Record<string, string> = {
        ...{ 'Min-SE': minSession, From: '<sip:us@192.0.2.1>;tag=mine', CSeq: `${cseq} INVITE` },
      };
      return { status: 422, reason: 'Interval Too Small', res: { get: (name: string) => headers[name] } };
    };

    test('goes out once more in the same call, with the interval that the peer wants', () => {
      const uac = new FakeUac();
      uac.invite();
      uac.final(tooShort('3600', 7));
      expect(uac.events.failed).not.toHaveBeenCalled();
      expect([uac.sent, uac.options.headers]).toEqual([
        2,
        {
          ...{ 'X-Queue': '7', 'Session-Expires': '3600', 'Min-SE': '3600' },
          ...{ From: '<sip:us@192.0.2.1>;tag=mine', CSeq: '8 INVITE' },
        },
      ]);
      const dialog = {};
      uac.final(null, dialog as Parameters<typeof uac.final>[1]);
      expect(uac.events.answered).toHaveBeenCalledExactlyOnceWith(dialog);
    });

    test('is over when the peer wants no longer one, or ever longer ones', () => {
      const content = new FakeUac();
      content.invite();
      content.final(tooShort('1800'));
      expect([content.sent, content.events.failed.mock.calls]).toEqual([
        1,
        [[422, 'Interval Too Small', undefined]],
      ]);
      const greedy = new FakeUac();
      greedy.invite();
      for (let least = 2000; least < 2010; least++) {
        if (greedy.events.failed.mock.calls.length === 0) greedy.final(tooShort(String(least)));
      }
      expect([greedy.sent, greedy.events.failed.mock.calls.length]).toEqual([4, 1]);
    });

    test('is not sent again once it was canceled', async () => {
      const uac = new FakeUac();
      const invite = uac.invite();
      uac.progress.cbRequest(null, uac);
      const canceled = invite.cancel();
      uac.final(tooShort('3600'));
      await canceled;
      expect([uac.sent, uac.events.failed.mock.calls[0]?.[0]]).toEqual([1, 422]);
    });

    test('can be canceled while the second INVITE is on its way to the engine', async () => {
      const uac = new FakeUac();
      const invite = uac.invite();
      uac.progress.cbRequest(null, uac);
      uac.final(tooShort('3600'));
      const canceled = invite.cancel();
      expect(uac.cancel).not.toHaveBeenCalled();
      uac.progress.cbRequest(null, uac);
      expect(uac.cancel).toHaveBeenCalledOnce();
      uac.final({ status: 487 });
      await canceled;
    });
  });

  test('keeps the headers that it was given from drachtio-srf, which writes into them', () => {
    const uac = new FakeUac();
    uac.invite();
    uac.options.headers.CSeq = '2 INVITE';
    expect(uac.headers).toEqual({ 'X-Queue': '7', 'Session-Expires': '1800' });
  });
});
