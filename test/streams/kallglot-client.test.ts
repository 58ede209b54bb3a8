import { beforeEach, describe, expect, test } from 'vitest';
import { Refusal } from '../../src/errors.ts';
import type { Role } from '../../src/roles.ts';
import { KallglotClient } from '../../src/streams/kallglot-client.ts';
import { admitted, FakeHouse, type FakeLeg, facts, json, sessionId, turns } from './client-fixture.ts';
import { FakeSocket } from './fake-socket.ts';

const speech = (speaker: string | undefined, sequence: number, bytes = [1, 2]) =>
  json({
    ...{ type: 'audio.input', sequence, speaker },
    audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: Buffer.from(bytes).toString('base64') },
  });

describe('a Kallglot client', () => {
  let house: FakeHouse;
  let socket: FakeSocket;
  let client: KallglotClient;
  const leg = (index = 0) => house.legs[index] as FakeLeg;
  const codes = () => socket.told.map(({ type, code }) => (code === undefined ? type : code));

  beforeEach(() => {
    [house, socket] = [new FakeHouse(), new FakeSocket()];
  });
  function connect(role?: Role): void {
    const taken = role && house.reserve(role);
    client = new KallglotClient({
      ...{ parts: house.parts, connection: socket.connection(), admitted, facts, leg: taken },
    });
    void client.begin();
  }

  test('with a role is ready when its leg is, and hears what was said before', async () => {
    connect('agent');
    client.take(speech('agent', 1));
    client.take(speech(undefined, 2, [3]));
    await turns();
    expect(socket.told).toEqual([]);
    await leg().isSetUp();
    expect(socket.told).toEqual([{ type: 'session.ready', session_id: sessionId }]);
    client.take(speech('agent', 3, [4]));
    expect(Buffer.concat(leg().said)).toEqual(Buffer.from([1, 2, 3, 4]));
  });

  test('keeps no more than the last second of what is said before its leg is up', async () => {
    connect('agent');
    for (let i = 1; i <= 30; i++)
      client.take(
        speech(
          'agent',
          i,
          Array.from({ length: 800 }, () => i),
        ),
      );
    await leg().isSetUp();
    const said = Buffer.concat(leg().said);
    expect([said.length, said[0], said.at(-1)]).toEqual([8000, 21, 30]);
  });

  test('without one is ready at once, and becomes the party that it speaks for', async () => {
    connect();
    await turns();
    expect(codes()).toEqual(['session.ready']);
    client.take(speech('customer', 1));
    expect([house.legs.length, leg().role]).toEqual([1, 'customer']);
    await leg().isSetUp();
    client.take(speech('agent', 1));
    expect([house.legs.length, leg(1).role]).toEqual([2, 'agent']);
    client.take(speech(undefined, 1));
    expect(codes()).toEqual(['session.ready', 'invalid_message']);
  });

  test('that named its role is not another', async () => {
    connect('agent');
    await leg().isSetUp();
    client.take(speech('customer', 1));
    expect([codes().at(-1), house.legs.length]).toEqual(['role_taken', 1]);
  });

  test('is told that a role is held, once a second, and gets it when it is free', async () => {
    connect();
    house.taken = new Refusal('role_taken');
    for (let ms = 0; ms < 2000; ms += 100) {
      house.now = ms;
      client.take(speech('customer', ms + 1));
    }
    expect(codes()).toEqual(['session.ready', 'role_taken', 'role_taken']);
    house.taken = undefined;
    client.take(speech('customer', 3000));
    expect(house.legs.length).toBe(1);
  });

  test('is told why its leg came to nothing, and closed', async () => {
    connect('agent');
    await leg().isSetUp(new Refusal('pipeline_unavailable'));
    expect(codes()).toEqual(['pipeline_unavailable']);
    expect([socket.closedWith, leg().ends]).toEqual([[4503, 'pipeline_unavailable'], ['released']]);
    expect(house.refused).toEqual(['pipeline_unavailable']);
  });

  test('that comes just when its session has ended is told so, and closed', async () => {
    connect('agent');
    await leg().isSetUp(new Refusal('session_ended'));
    expect([codes(), socket.closedWith]).toEqual([['session_ended'], [4409, 'session_ended']]);
  });

  test('is told when somebody takes its place, and closed', async () => {
    connect('agent');
    await leg().isSetUp();
    await leg().carrier?.hangUp('replaced');
    expect([codes().at(-1), socket.closedWith]).toEqual(['replaced', [4409, 'replaced']]);
  });

  test('of two parties stays with the one that is left, and the other does not come back', async () => {
    connect();
    client.take(speech('customer', 1));
    client.take(speech('agent', 1));
    await leg(0).isSetUp();
    await leg(1).isSetUp();
    await leg(1).carrier?.hangUp('hangup');
    client.take(speech('agent', 2));
    expect(codes()).toEqual(['session.ready', 'hangup', 'role_taken']);
    expect([house.legs.length, socket.closedWith]).toEqual([2, undefined]);
  });

  test('hears in messages of 20 to 100 ms, numbered, with whose speech it is', async () => {
    connect('agent');
    await leg().isSetUp();
    leg().hear(20);
    client.tick();
    leg().hear(230);
    client.tick();
    const outputs = socket.told.slice(1) as {
      sequence: number;
      speaker: string;
      audio: { payload: string };
    }[];
    expect(
      outputs.map(({ sequence, speaker, audio }) => [
        sequence,
        speaker,
        Buffer.from(audio.payload, 'base64').length / 8,
      ]),
    ).toEqual([
      [1, 'customer', 20],
      [2, 'customer', 100],
      [3, 'customer', 100],
      [4, 'customer', 20],
    ]);
  });

  test('that does not read loses the oldest, and is not late when it reads again', async () => {
    connect('agent');
    await leg().isSetUp();
    socket.bufferedAmount = 40_000;
    for (let i = 0; i < 40; i++) {
      leg().hear(20);
      client.tick();
    }
    expect([socket.told.length, house.counts.droppedMs]).toEqual([1, 600]);
    socket.bufferedAmount = 0;
    client.tick();
    expect(socket.told.length).toBe(3);
  });

  test('that goes takes its legs along, as hung up or as lost', async () => {
    for (const lost of [false, true]) {
      connect('agent');
      await leg(lost ? 1 : 0).isSetUp();
      client.gone(lost);
    }
    expect(house.legs.map(({ ends }) => ends)).toEqual([['hangup'], ['stream_lost']]);
    connect('agent');
    client.gone(true);
    expect(leg(2).ends).toEqual(['canceled']);
  });

  test('hears of the end of its session, and ends it', async () => {
    connect('agent');
    await leg().isSetUp();
    client.take(json({ type: 'session.end' }));
    expect(house.ended).toBe(1);
    await leg().carrier?.hangUp('session_ended');
    expect(socket.closedWith).toBeUndefined();
    client.sessionEnded('explicit_end');
    expect(socket.told.at(-1)).toEqual({
      type: 'session.ended',
      session_id: sessionId,
      reason: 'explicit_end',
    });
    expect(socket.closedWith).toEqual([1000, 'explicit_end']);
  });

  test('counts what it says, and what came twice', async () => {
    connect('agent');
    await leg().isSetUp();
    for (const sequence of [1, 2, 2, 1]) client.take(speech('agent', sequence));
    client.take(json({ type: 'mute' }));
    client.take(json('nonsense'));
    expect(house.counts.messages).toMatchObject({ audio: 4, repeated: 2, unknown: 1, invalid: 1 });
    expect(leg().said.length).toBe(2);
  });
});
