import { transcriptIdOf } from '../ids.ts';
import type { TranscriptRow, TranscriptTurnRow } from '../store/schema.ts';
import { durationSeconds, type Session } from './session.ts';

/** What somebody has said, as the pipeline understood it; what it did not tell is undefined. */
export interface Segment {
  final: boolean;
  /** The pipeline's: a final that comes again has the same. */
  id: string | undefined;
  speaker: string;
  language: string | undefined;
  text: string;
  translation: { language: string | undefined; text: string } | undefined;
  /** When it came, wall clock in ms. */
  at: number;
}

/** A final as it is kept, with its place in the transcript. */
export type Turn = TranscriptTurnRow;

/** A session keeps so many turns, and so many characters of texts and translations: days of speech. */
const MOST = { turns: 10_000, characters: 2_000_000 };

type Extent = Pick<TranscriptRow, 'turns' | 'characters' | 'dropped'>;

/**
 * Finals that follow what a session has already: those that fit, in order.
 * @param before how much it has
 * @returns the new turns, and how much it has then
 */
export function appendTurns(
  session: Session,
  before: Extent,
  finals: readonly Segment[],
): { turns: Turn[]; after: Extent } {
  const turns: Turn[] = [];
  let { turns: sequence, characters, dropped } = before;
  for (const final of finals) {
    const turn = turnOf(session, final, sequence + 1);
    const length = turn.text.length + (turn.translation?.length ?? 0);
    if (sequence >= MOST.turns || characters + length > MOST.characters) {
      dropped++;
      continue;
    }
    sequence++;
    characters += length;
    turns.push(turn);
  }
  return { turns, after: { turns: sequence, characters, dropped } };
}

function turnOf(session: Session, segment: Segment, sequence: number): Turn {
  const { speaker, language, translation } = segment;
  const [own, others] = languagesOf(session, speaker);
  return {
    session_id: session.id,
    sequence,
    segment_id: segment.id ?? null,
    speaker,
    language: language ?? own,
    text: segment.text,
    translation_language: translation ? (translation.language ?? others) : null,
    translation: translation?.text ?? null,
    at: segment.at,
  };
}

/** What the pipeline does not tell: the speaker's language, and the other party's. */
function languagesOf({ sourceLanguage, targetLanguage }: Session, speaker: string) {
  if (speaker === 'customer') return [sourceLanguage, targetLanguage] as const;
  if (speaker === 'agent') return [targetLanguage, sourceLanguage] as const;
  return [null, null] as const;
}

/** A segment as it can be stored, and is found again: UTF-8, and without NUL, which PostgreSQL's texts do not hold. */
export function storable(segment: Segment): Segment {
  const clean = (text: string) => text.toWellFormed().replaceAll('\0', '');
  const cleanIfAny = (text: string | undefined) => (text === undefined ? undefined : clean(text));
  const { id, speaker, language, text, translation } = segment;
  return {
    ...segment,
    id: cleanIfAny(id),
    speaker: clean(speaker),
    language: cleanIfAny(language),
    text: clean(text),
    translation: translation && {
      language: cleanIfAny(translation.language),
      text: clean(translation.text),
    },
  };
}

/** A turn as the API shows it (contract §5.7). */
const turnView = (turn: Turn) => ({
  sequence: turn.sequence,
  speaker: turn.speaker,
  language: turn.language,
  text: turn.text,
  ...(turn.translation !== null && {
    translation: { language: turn.translation_language, text: turn.translation },
  }),
  timestamp: new Date(turn.at).toISOString(),
});

/** `data` of `transcript.segment` for a final, as it is kept. */
export const finalData = (turn: Turn) => ({ session_id: turn.session_id, final: true, ...turnView(turn) });

/** The same for a partial, which has no place in the transcript. */
export function partialData(session: Session, partial: Segment) {
  const { sequence: _none, ...view } = turnView(turnOf(session, partial, 0));
  return { session_id: session.id, final: false, ...view };
}

/** What is told of a transcript beside its turns. */
export interface Summary extends Pick<TranscriptRow, 'turns' | 'dropped'> {
  /** Whether no more will come. */
  completed: boolean;
  /** Of its turns, in the order in which they were first spoken; null stands for one that nobody named. */
  languages: readonly (string | null)[];
}

/** `data` of `transcript.ready`: a transcript without its turns. @param now wall clock, ms: a session that goes on lasts till then */
export function summaryOf(session: Session, { turns, dropped, completed, languages }: Summary, now: number) {
  return {
    id: transcriptIdOf(session.id),
    object: 'transcript' as const,
    session_id: session.id,
    status: completed ? ('completed' as const) : ('in_progress' as const),
    metadata: {
      total_turns: turns,
      duration_seconds: durationSeconds({ ...session, endedAt: session.endedAt ?? now }),
      languages_detected: languages.filter((language) => language !== null),
      ...(dropped > 0 && { dropped_turns: dropped }),
    },
  };
}

/** A session's transcript as the API shows it (contract §5.7). @param turns all of them, in order */
export function transcriptView(
  session: Session,
  turns: readonly Turn[],
  { completed, dropped }: Pick<Summary, 'completed' | 'dropped'>,
  now: number,
) {
  const languages = [...new Set(turns.map(({ language }) => language))];
  const summary = { turns: turns.length, dropped, completed, languages };
  return { ...summaryOf(session, summary, now), turns: turns.map(turnView) };
}
