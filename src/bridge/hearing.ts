import type { Hearing } from '../media/hearing.ts';
import type { MediaPort } from '../media/media-port.ts';
import type { WaitingSound } from '../media/waiting-sound.ts';
import { listenerOf, type Role, rolesOf, type SessionMode } from '../roles.ts';

/** A party whose leg is up. */
export interface Party {
  port: MediaPort;
  /** It has put us on hold: it says nothing to anybody. */
  held: boolean;
}

/** What decides on what the parties of a session hear. */
export interface HearingFacts {
  mode: SessionMode;
  parties: ReadonlyMap<Role, Party>;
  /** There is no translation: the parties hear each other. */
  passthrough: boolean;
  /** How loud the other's own voice is under its translation, dB against how loud it is; null = it is not heard. */
  mixOriginalDb: number | null;
  waitingSound: WaitingSound;
}

/** What the party of a role hears (decisions §4, §6). A pure function: who comes, goes or is lost makes it anew. */
export function hearingOf(role: Role, facts: HearingFacts): Hearing {
  const { mode, parties, passthrough, waitingSound } = facts;
  if (rolesOf(mode).length === 1) return { translation: true, original: null, waiting: null };
  const other = parties.get(listenerOf(mode, role));
  // The other one may be on the session's stream: what the pipeline says is heard.
  if (other === undefined) return { translation: !passthrough, original: null, waiting: waitingSound };
  const direct = passthrough || (mode === 'assistive_translation' && role === 'agent');
  const translation = !direct;
  if (other.held) return { translation, original: null, waiting: waitingSound };
  return { translation, original: originalOf(other.port, direct, facts), waiting: null };
}

/** Between translations the other's own voice is as loud as it is, as with an interpreter; under one it steps back. */
function originalOf(from: MediaPort, direct: boolean, { mixOriginalDb }: HearingFacts): Hearing['original'] {
  if (direct) return { from, gainDb: 0 };
  return mixOriginalDb === null ? null : { from, gainDb: 0, duckedDb: mixOriginalDb };
}
