import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DrachtioWire } from '../../src/sip/drachtio-wire.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { DrachtioPeer } from '../support/drachtio-peer.ts';

let server: Server;
let socket: Socket;
let peer: DrachtioPeer;
let taken: string[];
let refusals: unknown[];
let wire: DrachtioWire;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  peer = new DrachtioPeer(accepted);
  taken = [];
  refusals = [];
  const onFrame = (payload: string) => void taken.push(payload);
  const onRefused = (refusal: unknown) => void refusals.push(refusal);
  wire = new DrachtioWire(socket, {
    ...{ routes: true, limited: true, onFrame, onRefused, log: createLog('silent') },
  });
});
afterEach(async () => {
  vi.useRealTimers();
  socket.destroy();
  server.close();
});

const invite = (from: string) => `INVITE sip:a@127.0.0.1 SIP/2.0\r\nFrom: ${from}\r\nCall-ID: 1\r\n\r\n`;

describe('the wire to a drachtio-server', () => {
  test('answers 513 to a request that is too long, and hands on the others', async () => {
    peer.deliver({ transaction: 't1', sip: invite(`"${'a'.repeat(6000)}" <sip:a@x>;tag=1`) });
    peer.deliver({ transaction: 't2', sip: invite('<sip:a@x>;tag=1') });
    expect((await peer.answerTo('t1', 513)).sip).toBe('SIP/2.0 513 Message Too Large\r\n\r\n');
    await vi.waitFor(() => expect(taken).toHaveLength(1));
    expect(taken[0]).toContain('|t2|');
    const told = { code: 'message_too_large', status: 513, method: 'INVITE', call_id: '1' };
    expect(refusals).toMatchObject([{ ...told, source: '127.0.0.1:5090', called: 'sip:a@127.0.0.1' }]);
  });

  test('drops an ACK and a response that are too long', async () => {
    const long = `X-Data: ${'a'.repeat(5000)}\r\n\r\n`;
    peer.deliver({ transaction: 't1', dialog: 'd', sip: `ACK sip:a SIP/2.0\r\n${long}` });
    peer.deliver({ transaction: 't2', dialog: 'd', sip: `SIP/2.0 200 OK\r\n${long}` });
    peer.deliver({ transaction: 't3', dialog: 'd', sip: 'BYE sip:a SIP/2.0\r\n\r\n' });
    await vi.waitFor(() => expect(taken).toHaveLength(1));
    expect(taken[0]).toContain('BYE');
    expect([peer.frames, refusals]).toEqual([[], []]);
  });

  test('answers 400 to a request that drachtio-srf cannot read, and drops such an ACK and a response', async () => {
    const broken = 'Not a header: x\r\n\r\n';
    peer.deliver({ transaction: 't1', sip: `INVITE sip:a@127.0.0.1 SIP/2.0\r\n${broken}` });
    peer.deliver({ transaction: 't2', dialog: 'd', sip: `ACK sip:a SIP/2.0\r\n${broken}` });
    peer.deliver({ transaction: 't3', dialog: 'd', sip: `SIP/2.0 200 OK\r\n${broken}` });
    peer.deliver({ transaction: 't4', sip: '' });
    peer.deliver({ transaction: 't5', sip: invite('<sip:a@x>;tag=1') });
    expect((await peer.answerTo('t1', 400)).sip).toBe('SIP/2.0 400 Bad Request\r\n\r\n');
    await vi.waitFor(() => expect(taken).toHaveLength(1));
    expect(taken[0]).toContain('|t5|');
    await peer.answerTo('t4', 400);
    expect(peer.frames).toHaveLength(2);
    expect(refusals).toMatchObject([
      { code: 'bad_request', status: 400, called: 'sip:a@127.0.0.1' },
      { code: 'bad_request', status: 400, called: '' },
    ]);
  });

  test('gives each challenge a field of its own', async () => {
    const [sha, md5] = ['SHA-256', 'MD5'].map((one) => `Digest realm="a, b", algorithm=${one}, qop="auth"`);
    const head = 'sip|t1|\r\nSIP/2.0 401 Unauthorized\r\n';
    wire.send(socket, `${head}WWW-Authenticate: ${sha}, ${md5}\r\nReason: x\r\n\r\n`);
    const { sip } = await peer.answerTo('t1', 401);
    expect(sip.split('\r\n')).toEqual([
      'SIP/2.0 401 Unauthorized',
      `WWW-Authenticate: ${sha}`,
      `WWW-Authenticate: ${md5}`,
      ...['Reason: x', '', ''],
    ]);
  });

  test('takes as refused what came back of ours and cannot be read', async () => {
    const frame = { id: '7', type: 'sip', tokens: ['t1'], sip: '' };
    peer.confirm(frame, 'd', 'SIP/2.0 200 OK\r\nNot a header: x\r\n\r\n');
    peer.confirm(frame, 'd', 'SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n');
    await vi.waitFor(() => expect(taken).toHaveLength(2));
    expect(taken[0]).toBe('|response|7|NO|not readable');
    expect(taken[1]).toContain('|response|7|OK|');
  });

  test('does not send what is too long for it', () => {
    expect(() => wire.send(socket, `sip|t|\r\n${'a'.repeat(12_000)}`)).toThrow(
      'too much for a drachtio-server',
    );
    expect(socket.destroyed).toBe(false);
  });

  test('holds while pings are answered, and gives up a server that has gone deaf', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    wire.startPinging();
    const pinged = async (count: number) => {
      vi.advanceTimersByTime(5000);
      await vi.waitFor(() => expect(peer.frames).toHaveLength(count));
    };
    for (let count = 1; count <= 6; count++) await pinged(count);
    expect(socket.destroyed).toBe(false);
    peer.answering = false;
    // What comes behind the last pong is there.
    peer.deliver({ transaction: 't', sip: invite('x') });
    await vi.waitFor(() => expect(taken).toHaveLength(1));
    const gone = once(socket, 'error') as Promise<[Error]>;
    await pinged(7);
    await pinged(8);
    await pinged(9);
    vi.advanceTimersByTime(5000);
    expect((await gone)[0].message).toBe('it does not answer');
  });

  test('ends with what is no frame', async () => {
    const closed = once(socket, 'error') as Promise<[Error]>;
    peer.raw('5x#hello');
    expect((await closed)[0].message).toContain('a frame length is not a number');
  });
});
