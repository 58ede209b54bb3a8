import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CHECK_MS } from '../../src/streams/stream-connection.ts';
import { FakeSocket } from './fake-socket.ts';

describe('the connection of a client', () => {
  let socket: FakeSocket;
  let closed: ({ lost: boolean; detail: string } | undefined)[];
  let frames: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    [socket, closed, frames] = [new FakeSocket(), [], []];
  });
  afterEach(() => void vi.useRealTimers());

  function connect() {
    const connection = socket.connection();
    connection.listen({
      onMessage: (frame) => void frames.push(frame.toString()),
      onClosed: (byClient) => void closed.push(byClient),
    });
    return connection;
  }
  /** Checks, as somebody does who has a timer for it. */
  function wait(connection: ReturnType<typeof connect>, ms: number, meanwhile = () => {}) {
    for (let at = 0; at < ms && !socket.terminated; at += CHECK_MS) {
      vi.advanceTimersByTime(CHECK_MS);
      meanwhile();
      connection.check();
    }
  }

  test('that gives no sign of life is lost after 30 s', () => {
    const connection = connect();
    wait(connection, 30_000);
    expect(socket.terminated).toBe(false);
    wait(connection, 1000);
    expect(closed).toEqual([{ lost: true, detail: 'the client gives no sign of life' }]);
  });

  test.each<[string, () => unknown]>([
    ['pings are answered', () => socket.emit('pong')],
    ['anything is said', () => socket.emit('message', Buffer.from('{}'), false)],
  ])('stays while %s', (_what, meanwhile) => {
    const connection = connect();
    wait(connection, 120_000, meanwhile);
    expect(socket.terminated).toBe(false);
    expect(connection.silentForMs).toBeLessThan(CHECK_MS);
  });

  test('is behind while a ping waits for its answer, if it answers any', () => {
    const connection = connect();
    wait(connection, 10_000, () => socket.emit('message', Buffer.from('{}'), false));
    expect(connection.isBehind).toBe(false);
    wait(connection, 2000, () => socket.emit('pong'));
    vi.advanceTimersByTime(1500);
    expect(connection.isBehind).toBe(false);
    vi.advanceTimersByTime(1);
    expect(connection.isBehind).toBe(true);
    socket.emit('pong');
    expect(connection.isBehind).toBe(false);
  });

  test('that talks and never reads is lost all the same', () => {
    const connection = connect();
    socket.bufferedAmount = 100_000;
    wait(connection, 40_000, () => socket.emit('message', Buffer.from('{}'), false));
    expect(closed).toEqual([{ lost: true, detail: 'the client gives no sign of life' }]);
  });

  test('that makes us answer and never reads is lost at once', () => {
    const connection = connect();
    connection.send('a');
    socket.bufferedAmount = 1_048_577;
    connection.send('b');
    expect([socket.sent, socket.terminated]).toEqual([['a'], true]);
    expect(closed).toEqual([{ lost: true, detail: 'the client does not read' }]);
  });

  test('has its pings answered as far as it reads, and as often as anybody needs it', () => {
    const connection = connect();
    socket.emit('ping', Buffer.alloc(0));
    socket.bufferedAmount = 100_000;
    for (let i = 0; i < 99; i++) socket.emit('ping', Buffer.alloc(125));
    expect([socket.pongs, socket.terminated]).toEqual([1, false]);
    connection.check();
    socket.bufferedAmount = 0;
    for (let i = 0; i < 101; i++) socket.emit('ping', Buffer.alloc(0));
    expect([socket.pongs, socket.terminated]).toEqual([101, true]);
    expect(closed).toEqual([{ lost: true, detail: 'the client sends too many pings' }]);
  });

  test('that answers more than it is asked is lost', () => {
    connect();
    for (let i = 0; i < 101; i++) socket.emit('pong');
    expect(closed).toEqual([{ lost: true, detail: 'the client sends too many pings' }]);
  });

  test('that is closed by us says nothing more, and is not waited for', () => {
    const connection = connect();
    connection.close(4409, 'role_taken');
    socket.emit('message', Buffer.from('{}'), false);
    expect([socket.closedWith, frames]).toEqual([[4409, 'role_taken'], []]);
    vi.advanceTimersByTime(2000);
    expect([socket.terminated, closed]).toEqual([true, [undefined]]);
  });

  test('that the client closes is not lost, one that breaks is', () => {
    connect();
    socket.emit('close', 1000, Buffer.from('bye'));
    expect(closed).toEqual([{ lost: false, detail: 'closed with 1000 bye' }]);
    socket = new FakeSocket();
    connect();
    socket.emit('error', new Error('read ECONNRESET'));
    socket.emit('close', 1006, Buffer.alloc(0));
    expect(closed.at(-1)).toEqual({ lost: true, detail: 'read ECONNRESET' });
  });
});
