/**
 * The two parties of a session and its four modes (contract §6, decisions §4).
 */
export type Role = 'customer' | 'agent';
export type SessionMode =
  | 'bidirectional_translation'
  | 'assistive_translation'
  | 'ai_agent'
  | 'help_chat_voice';

export const roles: readonly Role[] = ['customer', 'agent'];
export const sessionModes: readonly SessionMode[] = [
  'bidirectional_translation',
  'assistive_translation',
  'ai_agent',
  'help_chat_voice',
];

/** Which roles a mode has: two parties that are translated, or one that talks with the pipeline. */
export function rolesOf(mode: SessionMode): readonly Role[] {
  return mode === 'bidirectional_translation' || mode === 'assistive_translation' ? roles : ['customer'];
}

/** Who hears what `speaker` said: the other party, or in the one-leg modes the leg itself. */
export function listenerOf(mode: SessionMode, speaker: Role): Role {
  if (rolesOf(mode).length === 1) return 'customer';
  return speaker === 'customer' ? 'agent' : 'customer';
}
