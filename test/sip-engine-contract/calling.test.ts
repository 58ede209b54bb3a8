import { expect, it } from 'vitest';
import { ANSWER, HOLD, OFFER } from '../support/engine-app.ts';
import { answerTo, bodyOf, headerIn, type SipCaller } from '../support/sip-caller.ts';
import { contract } from './contract.ts';

/** A peer that is called: it answers what it gets as the test says. */
class Callee {
  readonly caller: SipCaller;
  invite = '';

  constructor(caller: SipCaller) {
    this.caller = caller;
  }

  get uri(): string {
    return `sip:callee@${this.caller.address}`;
  }

  async invited(): Promise<string> {
    this.invite = await this.caller.next('INVITE');
    return this.invite;
  }

  /** Answers the INVITE; `tag` is that of the fork. */
  reply(status: string, { tag = 'one', body = '', extra = [] as readonly string[] } = {}): void {
    this.caller.send(answerTo(this.invite, status, this.caller.address, body, { tag, extra }));
  }

  /** Answers another request. */
  confirm(request: string): void {
    this.caller.send(answerTo(request, '200 OK', this.caller.address));
  }
}

contract('calls of the application', (contract) => {
  const callee = async () => new Callee(await contract.caller());

  it('is answered: provisional answers, dialog, ACK to the Contact, and BYE by the application', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri, { headers: { 'X-Queue': '7' } });
    const invite = await peer.invited();
    expect(bodyOf(invite)).toBe(OFFER);
    expect(headerIn(invite, 'X-Queue')).toBe('7');
    peer.reply('180 Ringing');
    peer.reply('200 OK', { body: ANSWER });
    const dialog = await call.answered;
    expect(call.progress).toEqual([180]);
    expect(dialog.remote.sdp).toBe(ANSWER);
    expect(dialog.sip.callId).toBe(headerIn(invite, 'Call-ID'));
    expect(dialog.sip.remoteTag).toBe('one');
    const ack = await peer.caller.next('ACK');
    expect(headerIn(ack, 'CSeq')).toBe(headerIn(invite, 'CSeq').replace('INVITE', 'ACK'));
    const ended = dialog.destroy();
    peer.confirm(await peer.caller.next('BYE'));
    await ended;
  });

  it('is ended by the peer', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    const invite = await peer.invited();
    peer.reply('200 OK', { body: ANSWER });
    const dialog = await call.answered;
    const ended = new Promise<void>((resolve) => dialog.on('destroy', () => resolve()));
    await peer.caller.next('ACK');
    const lines = [
      `BYE sip:${contract.sipAddress} SIP/2.0`,
      `Via: SIP/2.0/UDP ${peer.caller.address};rport;branch=z9hG4bKbye1`,
      'Max-Forwards: 70',
      `From: ${headerIn(invite, 'To')};tag=one`,
      `To: ${headerIn(invite, 'From')}`,
      `Call-ID: ${headerIn(invite, 'Call-ID')}`,
      'CSeq: 1 BYE',
      'Content-Length: 0',
    ];
    peer.caller.send(`${lines.join('\r\n')}\r\n\r\n`);
    await peer.caller.next('SIP/2.0 200');
    await ended;
  });

  it.each([
    ['486 Busy Here', 486],
    ['603 Decline', 603],
  ])('is refused with %s, and the refusal is acknowledged', async (line, status) => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    await peer.invited();
    peer.reply(line);
    await expect(call.answered).rejects.toMatchObject({ status });
    await peer.caller.next('ACK');
  });

  it('is redirected: the 3xx comes up with its Contact, and nobody follows it', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    await peer.invited();
    peer.caller.send(answerTo(peer.invite, '302 Moved Temporarily', 'elsewhere.example', '', { tag: 'one' }));
    await expect(call.answered).rejects.toMatchObject({ status: 302 });
    await peer.caller.next('ACK');
  });

  it('is cancelled after 180: CANCEL with the branch of the INVITE, and the 487 comes up', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    const invite = await peer.invited();
    peer.reply('180 Ringing');
    await expect.poll(() => call.progress).toEqual([180]);
    await call.cancel();
    const cancel = await peer.caller.next('CANCEL');
    const branch = /branch=[^;]+/;
    expect(branch.exec(headerIn(cancel, 'Via'))).toEqual(branch.exec(headerIn(invite, 'Via')));
    peer.confirm(cancel);
    peer.reply('487 Request Terminated');
    await expect(call.answered).rejects.toMatchObject({ status: 487 });
  });

  it('is cancelled before any answer: the CANCEL waits for the first one', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    await peer.invited();
    await call.cancel();
    peer.reply('180 Ringing');
    const cancel = await peer.caller.next('CANCEL');
    expect(peer.caller.seen.filter((one) => one.startsWith('CANCEL'))).toHaveLength(1);
    peer.confirm(cancel);
    peer.reply('487 Request Terminated');
    await expect(call.answered).rejects.toMatchObject({ status: 487 });
  });

  it.each([
    ['401 Unauthorized', 'WWW-Authenticate', 'Authorization'],
    ['407 Proxy Authentication Required', 'Proxy-Authenticate', 'Proxy-Authorization'],
  ])('answers the challenge of a %s in the same call', async (line, challenge, credentials) => {
    const peer = await callee();
    const call = contract.app.call(peer.uri, { auth: { username: 'us', password: 'secret' } });
    const first = await peer.invited();
    peer.reply(line, { extra: [`${challenge}: Digest realm="r", nonce="n", qop="auth"`] });
    await peer.caller.next('ACK');
    const second = await peer.invited();
    expect(headerIn(second, credentials)).toContain('username="us"');
    expect(headerIn(second, 'Call-ID')).toBe(headerIn(first, 'Call-ID'));
    expect(headerIn(second, 'From')).toBe(headerIn(first, 'From'));
    expect(Number.parseInt(headerIn(second, 'CSeq'), 10)).toBe(
      Number.parseInt(headerIn(first, 'CSeq'), 10) + 1,
    );
    peer.reply('200 OK', { body: ANSWER });
    const dialog = await call.answered;
    const ended = dialog.destroy();
    peer.confirm(await peer.caller.next('BYE'));
    await ended;
  });

  it('is placed once more after a 422, in the same call', async () => {
    const peer = await callee();
    const tooShort = contract.app.call(peer.uri, { headers: { 'Session-Expires': '90' } });
    const first = await peer.invited();
    expect(headerIn(first, 'Session-Expires')).toBe('90');
    peer.reply('422 Session Interval Too Small', { extra: ['Min-SE: 3600'] });
    await expect(tooShort.answered).rejects.toMatchObject({ status: 422 });
    await peer.caller.next('ACK');
    const number = Number.parseInt(headerIn(first, 'CSeq'), 10) + 1;
    const again = contract.app.call(peer.uri, {
      headers: {
        'call-id': headerIn(first, 'Call-ID'),
        From: headerIn(first, 'From'),
        CSeq: `${number} INVITE`,
        ...{ 'Session-Expires': '3600', 'Min-SE': '3600' },
      },
    });
    const second = await peer.invited();
    expect(['Call-ID', 'From', 'Session-Expires', 'Min-SE'].map((name) => headerIn(second, name))).toEqual([
      ...[headerIn(first, 'Call-ID'), headerIn(first, 'From'), '3600', '3600'],
    ]);
    expect(headerIn(second, 'CSeq')).toBe(`${number} INVITE`);
    peer.reply('200 OK', { body: ANSWER, extra: ['Require: timer', 'Session-Expires: 3600;refresher=uac'] });
    const dialog = await again.answered;
    const ended = dialog.destroy();
    peer.confirm(await peer.caller.next('BYE'));
    await ended;
  });

  it('changes the session, and the ACK goes out', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    await peer.invited();
    peer.reply('200 OK', { body: ANSWER });
    const dialog = await call.answered;
    await peer.caller.next('ACK');
    const modified = dialog.modify(HOLD);
    expect(bodyOf(await peer.invited())).toBe(HOLD);
    peer.reply('200 OK', { body: ANSWER });
    expect(await modified).toBe(ANSWER);
    await peer.caller.next('ACK');
    const ended = dialog.destroy();
    peer.confirm(await peer.caller.next('BYE'));
    await ended;
  });

  it('acknowledges a reliable 183 with a PRACK', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri, { headers: { Supported: '100rel' } });
    await peer.invited();
    peer.reply('183 Session Progress', { body: ANSWER, extra: ['Require: 100rel', 'RSeq: 17'] });
    const prack = await peer.caller.next('PRACK');
    expect(headerIn(prack, 'RAck')).toBe(`17 ${headerIn(peer.invite, 'CSeq')}`);
    peer.confirm(prack);
    peer.reply('200 OK', { body: ANSWER });
    const dialog = await call.answered;
    const ended = dialog.destroy();
    peer.confirm(await peer.caller.next('BYE'));
    await ended;
  });

  it('of a fork the first answer is the call', async () => {
    const peer = await callee();
    const call = contract.app.call(peer.uri);
    await peer.invited();
    peer.reply('180 Ringing', { tag: 'one' });
    peer.reply('180 Ringing', { tag: 'two' });
    await expect.poll(() => call.progress).toEqual([180, 180]);
    peer.reply('200 OK', { tag: 'two', body: ANSWER });
    const dialog = await call.answered;
    expect(dialog.sip.remoteTag).toBe('two');
    const ended = dialog.destroy();
    const bye = await peer.caller.next('BYE');
    expect(headerIn(bye, 'To')).toContain('tag=two');
    peer.confirm(bye);
    await ended;
  });

  it('OPTIONS to a peer is answered', async () => {
    const peer = await callee();
    const status = contract.app.ask(peer.uri, 'OPTIONS');
    peer.confirm(await peer.caller.next('OPTIONS'));
    expect(await status).toBe(200);
  });

  it('a call to the engine itself is refused', async () => {
    const call = contract.app.call(`sip:me@${contract.sipAddress}`);
    await expect(call.answered).rejects.toThrow(/request to myself/);
  });
});
