import { expect, test } from 'vitest';
import { countSpeech, type ReceivedSpeech } from './speech-received.ts';

const taken = (generation: number, speaker: string, ...sequences: number[]): ReceivedSpeech[] =>
  sequences.map((sequence) => ({ session: 'sess_1', speaker, sequence, generation }));

test('nothing is lost when the next process begins with the number that comes next', () => {
  const received = [...taken(0, 'customer', 1, 2, 3), ...taken(1, 'customer', 4, 5)];
  expect(countSpeech(received, 2)).toEqual([
    { lost: 0, twice: 0 },
    { lost: 0, twice: 0 },
  ]);
});

test('what comes twice counts for the process that takes it again', () => {
  const received = [...taken(0, 'customer', 1, 2, 3), ...taken(1, 'customer', 2, 3, 4)];
  expect(countSpeech(received, 2)[1]).toEqual({ lost: 0, twice: 2 });
});

test('numbers that nobody took count for the first process that took a later one, by speaker', () => {
  const received = [
    ...taken(0, 'customer', 1, 2),
    ...taken(0, 'agent', 1, 2, 3),
    ...taken(1, 'customer', 5, 6),
    ...taken(1, 'agent', 4),
    ...taken(2, 'agent', 6),
  ];
  expect(countSpeech(received, 3).map(({ lost }) => lost)).toEqual([0, 2, 1]);
});

test('what is missing from the beginning on is lost too', () => {
  expect(countSpeech(taken(0, 'customer', 3), 1)[0]?.lost).toBe(2);
});
