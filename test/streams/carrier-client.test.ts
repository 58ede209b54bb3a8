import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Refusal } from '../../src/errors.ts';
import { CarrierClient } from '../../src/streams/carrier-client.ts';
import telnyx from '../fixtures/carriers/telnyx-stream.json' with { type: 'json' };
import twilio from '../fixtures/carriers/twilio-stream.json' with { type: 'json' };
import { FakeHouse, type FakeLeg, facts, json, sessionId, turns } from './client-fixture.ts';
import { FakeSocket } from './fake-socket.ts';

const { from_twilio } = twilio;
const { from_telnyx } = telnyx;
const twilioStart = (customParameters: object = { token: 'good', session_id: sessionId, role: 'agent' }) =>
  json({ ...from_twilio.start, start: { ...from_twilio.start.start, customParameters } });
const telnyxStart = (encoding = 'PCMU') =>
  json({
    ...from_telnyx.start,
    start: {
      ...from_telnyx.start.start,
      custom_parameters: { token: 'good' },
      media_format: { encoding, sample_rate: 8000, channels: 1 },
    },
  });
const media = (chunk: number, bytes: number[]) =>
  json({
    event: 'media',
    media: { track: 'inbound', chunk: `${chunk}`, payload: Buffer.from(bytes).toString('base64') },
  });

describe('a carrier', () => {
  let house: FakeHouse;
  let socket: FakeSocket;
  let client: CarrierClient;
  let known: number;
  const leg = () => house.legs[0] as FakeLeg;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    [house, socket, known] = [new FakeHouse(), new FakeSocket(), 0];
    client = new CarrierClient({
      ...{ parts: house.parts, connection: socket.connection(), sessionId, facts },
      onAdmitted: () => void known++,
    });
  });
  afterEach(() => void vi.useRealTimers());
  async function begin(start = twilioStart()): Promise<void> {
    client.take(json(from_twilio.connected));
    client.take(start);
    await turns();
    await leg()?.isSetUp();
  }

  test('is a party once its start has shown a good token', async () => {
    client.take(media(1, [9]));
    await begin();
    expect([client.kind, known, leg().role]).toEqual(['twilio', 1, 'agent']);
    expect(leg().facts).toMatchObject({ provider: 'twilio', carrierCallId: from_twilio.start.start.callSid });
    client.take(media(2, [1]));
    client.take(json(from_twilio.dtmf));
    expect([leg().said, leg().pressed]).toEqual([[Buffer.from([1])], ['1']]);
  });

  test('has 10 s to begin', async () => {
    client.take(json(from_twilio.connected));
    client.take(media(1, [9]));
    vi.advanceTimersByTime(9999);
    expect(socket.closedWith).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([socket.closedWith, house.refused]).toEqual([[4408, 'start_missing'], ['start_missing']]);
  });

  test('that has not begun may have to make room', () => {
    client.crowdedOut();
    expect(socket.closedWith).toEqual([4503, 'overloaded']);
  });

  test('that has begun is not closed after 10 s, and begins once', async () => {
    await begin();
    client.take(twilioStart());
    await turns();
    vi.advanceTimersByTime(60_000);
    expect([socket.closedWith, house.legs.length]).toEqual([undefined, 1]);
  });

  test.each([
    ['no token', {}, 4401, 'invalid_token'],
    ['a bad one', { token: 'bad' }, 4401, 'invalid_token'],
    ['another session', { token: 'good', session_id: 'sess_1' }, 4401, 'invalid_token'],
    ['an odd role', { token: 'good', role: 'boss' }, 4422, 'role_invalid'],
  ])('with %s is closed', async (_what, parameters, closeCode, code) => {
    await begin(twilioStart(parameters));
    expect([socket.closedWith, house.legs.length, house.refused]).toEqual([[closeCode, code], 0, [code]]);
  });

  test('whose role is held is closed', async () => {
    house.taken = new Refusal('role_taken');
    await begin();
    expect(socket.closedWith).toEqual([4409, 'role_taken']);
  });

  test('that leaves while it is let in leaves nothing behind', async () => {
    client.take(twilioStart());
    client.gone(true);
    await turns();
    expect(house.legs).toEqual([]);
  });

  test('is heard in its own law, in order', async () => {
    await begin(telnyxStart('PCMA'));
    for (const [chunk, byte] of [
      [1, 0xd5],
      [3, 0x55],
      [2, 0xd5],
      [2, 0xd5],
    ] as const)
      client.take(media(chunk, [byte]));
    // A-law has no zero: what is nearest to it.
    expect(Buffer.concat(leg().said)).toEqual(Buffer.from([0xfe, 0xfe, 0x7e]));
    expect(house.counts.messages.repeated).toBe(1);
  });

  test('hears in its own words, and what piled up is cleared after it did not read', async () => {
    await begin();
    leg().hear(20);
    client.tick();
    socket.bufferedAmount = 40_000;
    for (let i = 0; i < 40; i++) {
      leg().hear(20);
      client.tick();
    }
    socket.bufferedAmount = 0;
    client.tick();
    const { streamSid } = from_twilio.start;
    expect(socket.told.map(({ event }) => event)).toEqual(['media', 'clear', 'media', 'media']);
    expect(socket.told.every((message) => message.streamSid === streamSid)).toBe(true);
  });

  test('is asked by marks how late it plays, and told to drop what waits when that is too late', async () => {
    await begin();
    const play = (ms: number) => {
      for (let at = 0; at < ms; at += 100) {
        leg().hear(100);
        house.now += 100;
        client.tick();
      }
    };
    const mark = (name: string) => json({ ...from_twilio.mark, mark: { name } });
    play(2500);
    client.take(mark('1'));
    play(2500);
    client.take(mark('2'));
    expect(socket.told.filter(({ event }) => event === 'mark').map(({ mark }) => mark)).toEqual(
      ['1', '2', '3', '4', '5'].map((name) => ({ name })),
    );
    expect([socket.told.at(-1)?.event, house.counts.cleared]).toEqual(['clear', 1]);
  });

  test('that says stop, or closes, has hung up; one that is torn away is lost', async () => {
    await begin();
    client.take(json(from_twilio.stop));
    expect([leg().ends, socket.closedWith]).toEqual([['hangup'], [1000, 'stop']]);
  });

  test.each([
    [false, 'hangup'],
    [true, 'stream_lost'],
  ])('that goes, lost: %s', async (lost, reason) => {
    await begin();
    client.gone(lost);
    expect(leg().ends).toEqual([reason]);
  });

  test('is closed when its leg ends', async () => {
    await begin();
    await leg().carrier?.hangUp('media_timeout');
    expect(socket.closedWith).toEqual([4408, 'media_timeout']);
  });

  test('writes its complaints into the log once its token was good, and not all of them', async () => {
    const warn = vi.spyOn(house.parts.log, 'warn');
    for (let i = 0; i < 10; i++) client.take(json(from_telnyx.error));
    expect(warn).not.toHaveBeenCalled();
    await begin(telnyxStart());
    for (let i = 0; i < 10; i++) client.take(json(from_telnyx.error));
    house.now += 1000;
    client.take(json(from_telnyx.error));
    expect(warn).toHaveBeenCalledTimes(2);
  });

  test('may complain, and the call goes on', async () => {
    await begin(telnyxStart());
    client.take(json(from_telnyx.error));
    client.take(media(1, [1]));
    expect([socket.closedWith, leg().said.length, house.counts.messages.complaint]).toEqual([
      undefined,
      1,
      1,
    ]);
  });
});
