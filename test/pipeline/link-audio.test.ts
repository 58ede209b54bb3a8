import { expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { systemClock } from '../../src/clock.ts';
import type { SpeechChunk } from '../../src/pipeline/dialect.ts';
import { type AudioChannel, LinkAudio } from '../../src/pipeline/link-audio.ts';
import { type Role, roles } from '../../src/roles.ts';
import { speech, TestLeg } from './link-fixture.ts';

/** A channel that keeps what it is given. */
class FakeChannel implements AudioChannel {
  readonly speakers = roles;
  isUp = false;
  bufferedBytes = 0;
  readonly sent: string[] = [];
  sendSpeech(speaker: Role, { sequence }: SpeechChunk): number {
    this.sent.push(`${speaker} ${sequence}`);
    return 1250;
  }
  tellLegChange(): void {}
  tellKeyPress(): void {}
  tellMark(): void {}
}

function setup() {
  const channel = new FakeChannel();
  const counters = {
    ...{ chunksSent: 0, bytesSent: 0, outputsReceived: 0, bytesReceived: 0, inputDroppedMs: 0, pingMs: -1 },
    ...{ outputDroppedMs: 0, trimmedMs: 0, invalidFrames: 0, unknownFrames: 0, errors: 0, queuedMs: 0 },
    ...{ reconnects: 0, downMs: 0, resentMs: 0, lostMs: 0 },
  };
  const audio = new LinkAudio({
    mode: 'bidirectional_translation',
    dialect: { chunkMs: 100, input: MULAW_8K, replay: 'sequence' },
    clock: systemClock,
    channels: [channel],
    counters,
  });
  let now = 0;
  const tick = (ms = 10) => {
    now += ms;
    audio.tick(now);
  };
  const leg = new TestLeg();
  audio.attach('customer', leg);
  /** So many chunks, one in 100 ms. */
  const say = (chunks: number) => {
    for (let i = 0; i < chunks; i++) {
      leg.inbound.write(speech(800));
      tick(100);
    }
  };
  return { channel, audio, counters, leg, tick, say };
}

test('speech that waits for a pipeline leaves ten times as fast as it was said, and new speech behind it', () => {
  const { channel, audio, tick, say } = setup();
  say(50);
  channel.isUp = true;
  audio.connected(channel);
  for (let i = 0; i < 20; i++) tick(10);
  expect(channel.sent.length).toBe(21);
  for (let i = 0; i < 50; i++) tick(10);
  expect(channel.sent.length).toBe(50);
  say(2);
  expect(channel.sent.slice(-3)).toEqual(['customer 50', 'customer 51', 'customer 52']);
});

test('the last words of a party that has left while there was no pipeline are sent', () => {
  const { channel, audio, tick, say } = setup();
  say(3);
  audio.detach('customer');
  channel.isUp = true;
  audio.connected(channel);
  tick(100);
  expect(channel.sent).toEqual(['customer 1', 'customer 2', 'customer 3']);
});

test('while a second of speech is under way and not taken, the rest waits', () => {
  const { channel, audio, tick, say } = setup();
  channel.isUp = true;
  audio.connected(channel);
  say(1);
  channel.bufferedBytes = 12_501;
  say(5);
  expect(channel.sent).toEqual(['customer 1']);
  channel.bufferedBytes = 12_500;
  tick(100);
  expect(channel.sent.length).toBe(6);
});
