import { describe, expect, it } from 'vitest';
import { EngineHarness, framed, RecorderApp, request, SDP, SECRET } from '../support/engine-harness.ts';

describe('authenticate', () => {
  it('answers with addresses as advertised and as bound, and a version that drachtio-srf takes', () => {
    const app = new RecorderApp(new EngineHarness().core);
    expect(app.ask(`authenticate|${SECRET}|tag1,tag2`)).toEqual([
      'OK',
      'udp/192.0.2.1:5060',
      'v0.9.10',
      'udp/10.0.0.1:5060',
    ]);
  });

  it('a wrong secret is told and ends the connection', () => {
    const app = new RecorderApp(new EngineHarness().core);
    expect(app.ask('authenticate|wrong|')).toEqual(['NO', 'incorrect secret']);
    expect(app.ended).toBe(true);
  });

  it.each(['route|invite', 'ping', 'sip||\r\nOPTIONS sip:a SIP/2.0\r\n\r\n'])(
    '%j before it ends the connection',
    (payload) => {
      const harness = new EngineHarness();
      const app = new RecorderApp(harness.core);
      expect(app.ask(payload)[0]).toBe('NO');
      expect(app.ended).toBe(true);
      const peer = harness.peer();
      harness.receive(request(), peer);
      expect(peer.lines).toEqual(['503']);
    },
  );

  it('nothing is heard after the connection was ended', () => {
    const app = new RecorderApp(new EngineHarness().core);
    app.session.receive(
      Buffer.concat([framed('1|authenticate|wrong|'), framed(`2|authenticate|${SECRET}|`)]),
    );
    expect(app.frames).toHaveLength(1);
  });
});

describe('frames of the application', () => {
  it('ping is answered with pong', () => {
    expect(new EngineHarness().app().ask('ping')).toEqual(['OK', 'pong']);
  });

  it('remove_route takes one method back', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite', 'options');
    expect(app.ask('remove_route|invite')).toEqual(['OK']);
    const peer = harness.peer();
    harness.receive(request(), peer);
    harness.receive(request({ method: 'OPTIONS' }), peer);
    expect(peer.lines).toEqual(['503']);
    expect(app.methods).toEqual(['OPTIONS']);
  });

  it('several in one write are answered in order', () => {
    const app = new EngineHarness().app();
    const before = app.frames.length;
    app.session.receive(Buffer.concat(['a', 'b', 'c'].map((id) => framed(`${id}|ping`))));
    expect(app.frames.slice(before).map(({ tokens }) => tokens[2])).toEqual(['a', 'b', 'c']);
  });

  it('a response without transaction id ends the connection', () => {
    const app = new EngineHarness().app();
    expect(app.ask('sip||\r\nSIP/2.0 200 OK\r\n\r\n')).toEqual(['NO', 'transaction id missing']);
    expect(app.ended).toBe(true);
  });

  it('an unknown type ends the connection', () => {
    const app = new EngineHarness().app();
    expect(app.ask('dance')).toEqual(['NO', 'unknown message type dance']);
    expect(app.ended).toBe(true);
  });

  it('what is no frame ends the connection', () => {
    const app = new EngineHarness().app();
    app.session.receive(Buffer.from('hello#'));
    expect(app.ended).toBe(true);
  });

  it.each(['', 'garbage', 'SIP/2.0 200 OK\r\n'])(
    'SIP text %j is refused and the connection stays',
    (text) => {
      const app = new EngineHarness().app();
      expect(app.ask(`sip|some-id|\r\n${text}`)[0]).toBe('NOK');
      expect(app.ended).toBe(false);
      expect(app.ask('ping')).toEqual(['OK', 'pong']);
    },
  );

  it('CANCEL of an unknown transaction is refused', () => {
    const app = new EngineHarness().app();
    expect(app.ask('sip|some-id|\r\nCANCEL sip:a SIP/2.0\r\n\r\n')).toEqual([
      'NOK',
      'unable to cancel unknown transaction id: some-id',
    ]);
  });

  it('a frame of 40 kB, above the buffer of a real server, is taken', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    const peer = harness.peer();
    harness.receive(request(), peer);
    const body = `${SDP}${'a=x\r\n'.repeat(8_000)}`;
    expect(app.respond(app.transactionId, '200 OK', '', body)[0]).toBe('OK');
    expect(peer.raw.at(-1)).toContain(`Content-Length: ${body.length}\r\n`);
  });

  it('a transaction of another application cannot be answered', () => {
    const harness = new EngineHarness();
    const app = harness.app('invite');
    harness.receive(request(), harness.peer());
    expect(harness.app().respond(app.transactionId, '200 OK')[0]).toBe('NOK');
    expect(app.respond(app.transactionId, '200 OK', '', SDP)[0]).toBe('OK');
  });

  it('a bar in the texts of the engine never shifts the tokens', () => {
    const app = new EngineHarness().app();
    expect(app.ask('sip|x|\r\nINVITE sip:a|b SIP/2.0\r\n\r\n')).toHaveLength(2);
  });
});
