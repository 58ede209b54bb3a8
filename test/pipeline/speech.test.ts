import { describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { Speech } from '../../src/pipeline/speech.ts';
import { speech as audioOf } from './link-fixture.ts';

const chunkBytes = 800;

/** A speaker and its ring: `say` takes chunks, each of its own bytes, `send` sends what waits. */
function start(replay: 'sequence' | 'none' = 'sequence') {
  const ring = AudioRing.create(8192);
  const counters = { inputDroppedMs: 0, resentMs: 0, lostMs: 0 };
  const clock = { time: 0, now: () => clock.time, monotonic: () => clock.time };
  const speech = new Speech({ chunkMs: 100, input: MULAW_8K, replay }, clock, counters);
  /** @param now wall clock, ms */
  const take = (now: number) => {
    clock.time = now;
    speech.take(ring);
  };
  let said = 0;
  const say = (chunks: number) => {
    for (let i = 0; i < chunks; i++) {
      said++;
      ring.write(audioOf(chunkBytes, said));
      take(said * 100);
    }
  };
  /** @returns the numbers of what is sent, which has to be what was said under them */
  const send = (most = Number.POSITIVE_INFINITY) => {
    const sent: number[] = [];
    while (sent.length < most) {
      const chunk = speech.next();
      if (chunk === undefined) break;
      expect(chunk.audio).toEqual(audioOf(chunkBytes, chunk.sequence));
      expect(chunk.timestampMs).toBe((chunk.sequence - 1) * 100);
      sent.push(chunk.sequence);
    }
    return sent;
  };
  return { ring, counters, speech, take, say, send };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('cutting', () => {
  test('what the party says becomes whole chunks, nothing lost, numbered from 1', () => {
    const { speech, ring, take } = start();
    const said = audioOf(2000);
    const chunks: Buffer[] = [];
    for (let at = 0; at < said.length; at += 160) {
      ring.write(said, at, Math.min(160, said.length - at));
      take(at / 8);
      const chunk = speech.next();
      if (chunk === undefined) continue;
      chunks.push(Buffer.from(chunk.audio));
      expect(chunk.sequence).toBe(chunks.length);
    }
    expect(Buffer.concat(chunks)).toEqual(said.subarray(0, 2 * chunkBytes));
    expect(ring.readable).toBe(400);
  });

  test('a chunk is stamped with the wall clock of its first sample', () => {
    const { speech, ring, take } = start();
    ring.write(audioOf(1200));
    take(50_000);
    expect(speech.next()?.timestampMs).toBe(49_850);
  });

  test('stamps follow each other without gaps although audio comes in bursts', () => {
    const { speech, ring, take } = start();
    const stamps: number[] = [];
    // Six chunks, each up to 90 ms later or earlier than the even beat.
    for (const [i, late] of [0, 90, 10, 60, 0, 80].entries()) {
      ring.write(audioOf(chunkBytes));
      take(1000 + i * 100 + late);
      stamps.push(speech.next()!.timestampMs);
    }
    expect(stamps).toEqual([900, 1000, 1100, 1200, 1300, 1400]);
  });

  test('stamps follow the wall clock after a gap', () => {
    const { speech, ring, take } = start();
    for (const now of [1000, 9000]) {
      ring.write(audioOf(chunkBytes));
      take(now);
    }
    speech.next();
    expect(speech.next()?.timestampMs).toBe(8900);
  });

  test('what is said on hold is forgotten, and numbers go on after it', () => {
    const { speech, ring, take } = start();
    ring.write(audioOf(chunkBytes));
    take(1000);
    ring.write(audioOf(5000));
    speech.skip(ring);
    expect(ring.readable).toBe(0);
    ring.write(audioOf(chunkBytes, 9));
    take(1100);
    speech.next();
    expect(speech.next()).toMatchObject({ sequence: 2, timestampMs: 1000, audio: audioOf(800, 9) });
  });
});

describe('over an outage', () => {
  test('what was not confirmed is sent again under its numbers, and what was said meanwhile after it', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    say(5);
    send();
    speech.ask();
    say(3);
    send();
    speech.confirm();
    speech.disconnected();
    say(4);
    expect(speech.connected()).toBe(300);
    expect(send()).toEqual(numbers(6, 12));
    expect(counters).toEqual({ inputDroppedMs: 0, resentMs: 300, lostMs: 0 });
  });

  test('a cut of 5 s loses nothing, although the last second before it was not confirmed', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    say(20);
    send();
    speech.disconnected();
    say(50);
    expect(speech.connected()).toBe(2000);
    expect(send()).toEqual(numbers(1, 70));
    expect(counters.lostMs).toBe(0);
  });

  test('of a longer one the oldest is lost, and counted', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    say(20);
    send();
    speech.ask();
    speech.confirm();
    speech.disconnected();
    say(80);
    expect(counters.lostMs).toBe(1000);
    expect(speech.connected()).toBe(0);
    expect(send()).toEqual(numbers(31, 100));
    expect(counters).toEqual({ inputDroppedMs: 0, resentMs: 0, lostMs: 1000 });
  });

  test('a second cut in the middle of the replay sends again from where nothing was confirmed', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    say(10);
    send();
    speech.disconnected();
    say(10);
    speech.connected();
    send(5);
    speech.disconnected();
    say(1);
    expect(speech.connected()).toBe(1000);
    expect(send()).toEqual(numbers(1, 21));
    expect(counters).toEqual({ inputDroppedMs: 0, resentMs: 1500, lostMs: 0 });
  });

  test('a pong of the connection that is gone confirms nothing', () => {
    const { speech, say, send } = start();
    speech.connected();
    say(3);
    send();
    speech.ask();
    speech.disconnected();
    speech.connected();
    speech.confirm();
    expect(send()).toEqual([1, 2, 3]);
  });

  test('the room that it took is given back when all is confirmed, and what is kept meanwhile is whole', () => {
    const { speech, say, send } = start();
    speech.connected();
    say(16);
    send();
    const usual = speech.roomBytes;
    speech.disconnected();
    say(40);
    expect(speech.roomBytes).toBeGreaterThan(3 * usual);
    speech.connected();
    send();
    speech.ask();
    say(3);
    speech.confirm();
    expect(speech.roomBytes).toBe(usual);
    expect(send()).toEqual(numbers(57, 59));
    speech.disconnected();
    speech.connected();
    expect(send()).toEqual(numbers(57, 59));
  });

  test('what had to go unconfirmed is lost if its connection is', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    for (let i = 0; i < 100; i++) {
      say(1);
      send();
    }
    expect(counters).toEqual({ inputDroppedMs: 0, resentMs: 0, lostMs: 0 });
    speech.disconnected();
    expect(counters.lostMs).toBe(3000);
    speech.connected();
    expect(send()).toEqual(numbers(31, 100));
  });

  test('and not if it is confirmed after all', () => {
    const { speech, counters, say, send } = start();
    speech.connected();
    for (let i = 0; i < 100; i++) {
      say(1);
      send();
    }
    speech.ask();
    speech.confirm();
    speech.disconnected();
    expect(counters.lostMs).toBe(0);
  });

  test('a dialect without numbers: what was sent and not confirmed is lost, the rest is sent', () => {
    const { speech, counters, say, send } = start('none');
    speech.connected();
    say(5);
    send();
    speech.ask();
    say(3);
    send(2);
    speech.confirm();
    speech.disconnected();
    say(1);
    expect(counters.lostMs).toBe(200);
    expect(speech.connected()).toBe(0);
    expect(send()).toEqual([8, 9]);
    expect(counters).toEqual({ inputDroppedMs: 0, resentMs: 0, lostMs: 200 });
  });
});

test('while a connection takes nothing, the oldest unsent goes and is counted', () => {
  const { speech, counters, say, send } = start();
  speech.connected();
  say(75);
  expect(counters).toEqual({ inputDroppedMs: 500, resentMs: 0, lostMs: 0 });
  expect(send()).toEqual(numbers(6, 75));
});
