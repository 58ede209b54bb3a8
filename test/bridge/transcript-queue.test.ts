import { describe, expect, test } from 'vitest';
import { TranscriptQueue } from '../../src/bridge/transcript-queue.ts';
import { said } from '../sessions/said.ts';

const partial = (text: string, speaker = 'customer') => said(text, { final: false, speaker });
const texts = (segments: readonly { text: string }[]) => segments.map(({ text }) => text);

describe('what waits of a transcript', () => {
  test('is due at once, and then not sooner than 100 ms after the last write', () => {
    const queue = new TranscriptQueue();
    expect(queue.dueAt()).toBeUndefined();
    queue.add(said('one'));
    expect(queue.dueAt()).toBe(0);
    const batch = queue.take(5000);
    expect(texts(batch.finals)).toEqual(['one']);
    queue.written(batch, true, 5010);
    expect(queue.dueAt()).toBeUndefined();
    queue.add(said('two'));
    queue.add(said('three'));
    expect(queue.dueAt()).toBe(5110);
    expect(texts(queue.take(5110).finals)).toEqual(['two', 'three']);
  });

  test('has of the partials the latest of each speaker, once a second', () => {
    const queue = new TranscriptQueue();
    for (const text of ['G', 'Goo', 'Good']) queue.add(partial(text));
    queue.add(partial('Hal', 'agent'));
    const first = queue.take(0);
    expect(texts(first.partials)).toEqual(['Good', 'Hal']);
    queue.written(first, true, 10);
    queue.add(partial('Good mor'));
    expect(queue.dueAt()).toBe(1010);
    queue.add(said('Hallo.', { speaker: 'agent' }));
    expect(queue.dueAt()).toBe(110);
    const early = queue.take(110);
    expect([texts(early.finals), texts(early.partials)]).toEqual([['Hallo.'], []]);
    queue.written(early, true, 120);
    expect(queue.dueAt()).toBe(1010);
    expect(texts(queue.take(1010).partials)).toEqual(['Good mor']);
  });

  test('has no partial that its final has overtaken', () => {
    const queue = new TranscriptQueue();
    queue.add(partial('Good mor'));
    queue.add(partial('Hal', 'agent'));
    queue.add(said('Good morning.'));
    const { finals, partials } = queue.take(0);
    expect([texts(finals), texts(partials)]).toEqual([['Good morning.'], ['Hal']]);
  });

  test('asks seldom for partials to which nobody listens', () => {
    const queue = new TranscriptQueue();
    queue.add(partial('G'));
    queue.written(queue.take(0), false, 0);
    queue.add(partial('Go'));
    expect(queue.dueAt()).toBe(10_000);
  });

  test('is written in batches, and bounded in finals, in characters and in speakers', () => {
    const queue = new TranscriptQueue();
    const kept = Array.from({ length: 600 }, (_, i) => queue.add(said(`${i}`)));
    expect(kept.filter((one) => one)).toHaveLength(500);
    const first = queue.take(0);
    expect([first.finals.length, first.dropped]).toEqual([20, 100]);
    expect(queue.take(0).dropped).toBe(0);

    const long = new TranscriptQueue();
    const text = 'x'.repeat(20_000);
    const translated = said(text, { translation: { language: 'de', text } });
    const fitting = Array.from({ length: 7 }, () => long.add(translated));
    expect(fitting).toEqual([true, true, true, true, true, false, false]);
    long.take(0);
    expect(long.add(translated)).toBe(true);

    const many = new TranscriptQueue();
    const speakers = Array.from({ length: 9 }, (_, i) => many.add(partial('x', `speaker ${i}`)));
    expect(speakers.lastIndexOf(true)).toBe(7);
    expect(many.add(partial('y', 'speaker 3'))).toBe(true);
  });

  test('at the end is what is final alone', () => {
    const queue = new TranscriptQueue();
    queue.add(partial('G'));
    expect([queue.finish(), queue.dueAt()]).toEqual([false, undefined]);
    queue.add(said('one'));
    expect(queue.finish()).toBe(true);
  });
});
