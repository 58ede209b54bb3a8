import { describe, expect, test } from 'vitest';
import type { Session } from '../../src/sessions/session.ts';
import { appendTurns, partialData, transcriptView } from '../../src/sessions/transcript.ts';
import { said } from './said.ts';

const session = {
  ...{ id: 'sess_01JQZX3M8T5VY7B2N4K6P9R1WC', status: 'active', sourceLanguage: 'en', targetLanguage: 'de' },
  ...{ startedAt: 1_800_000_000_000, endedAt: null },
} as unknown as Session;
const empty = { turns: 0, characters: 0, dropped: 0 };
const NOW = 1_800_000_012_500;

describe('the turns of a transcript', () => {
  const view = (...finals: ReturnType<typeof said>[]) =>
    transcriptView(session, appendTurns(session, empty, finals).turns, { completed: false, dropped: 0 }, NOW);

  test('are shown in the documented form', () => {
    const shown = view(
      said('Good morning.', { translation: { language: undefined, text: 'Guten Morgen.' } }),
      said('Aha.', { speaker: 'agent', at: 1_800_000_003_000 }),
    );
    expect(shown).toEqual({
      id: 'trn_01JQZX3M8T5VY7B2N4K6P9R1WC',
      object: 'transcript',
      session_id: session.id,
      status: 'in_progress',
      turns: [
        {
          ...{ sequence: 1, speaker: 'customer', language: 'en', text: 'Good morning.' },
          translation: { language: 'de', text: 'Guten Morgen.' },
          timestamp: '2027-01-15T08:00:00.000Z',
        },
        {
          ...{ sequence: 2, speaker: 'agent', language: 'de', text: 'Aha.' },
          timestamp: '2027-01-15T08:00:03.000Z',
        },
      ],
      metadata: { total_turns: 2, duration_seconds: 12.5, languages_detected: ['en', 'de'] },
    });
  });

  test('have the languages that the pipeline tells, else the session’s, else none', () => {
    const other = { language: undefined, text: 'x' };
    const { turns, metadata } = view(
      said('a', { language: 'fr', translation: { language: 'it', text: 'x' } }),
      said('b', { speaker: 'agent', translation: other }),
      said('c', { speaker: 'supervisor', translation: other }),
      said('d', { speaker: 'supervisor', language: 'fr' }),
    );
    expect(turns.map(({ language, translation }) => [language, translation?.language])).toEqual([
      ['fr', 'it'],
      ['de', 'en'],
      [null, null],
      ['fr', undefined],
    ]);
    expect(metadata.languages_detected).toEqual(['fr', 'de']);
    expect(turns[3]).not.toHaveProperty('translation');
  });

  test('are bounded in number and in characters, and what has no room is counted', () => {
    const full = appendTurns(session, { ...empty, turns: 9_999 }, [said('in'), said('out'), said('out')]);
    expect(full.turns.map(({ sequence, text }) => [sequence, text])).toEqual([[10_000, 'in']]);
    expect(full.after).toEqual({ turns: 10_000, characters: 2, dropped: 2 });
    const translated = said('abc', { translation: { language: 'de', text: 'def' } });
    const long = appendTurns(session, { ...empty, characters: 1_999_993 }, [
      translated,
      translated,
      said('x'),
    ]);
    expect(long.turns.map(({ sequence, text }) => [sequence, text])).toEqual([
      [1, 'abc'],
      [2, 'x'],
    ]);
    expect(long.after).toEqual({ turns: 2, characters: 2_000_000, dropped: 1 });
  });

  test('tell how many are missing', () => {
    const { metadata } = transcriptView(session, [], { completed: true, dropped: 3 }, NOW);
    expect(metadata).toEqual({
      ...{ total_turns: 0, duration_seconds: 12.5, languages_detected: [], dropped_turns: 3 },
    });
  });
});

test('a partial has no place in the transcript', () => {
  expect(partialData(session, said('Good mor', { final: false }))).toEqual({
    ...{ session_id: session.id, final: false, speaker: 'customer', language: 'en', text: 'Good mor' },
    timestamp: '2027-01-15T08:00:00.000Z',
  });
});
