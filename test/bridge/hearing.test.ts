import { describe, expect, test } from 'vitest';
import { type HearingFacts, hearingOf, type Party } from '../../src/bridge/hearing.ts';
import type { MediaPort } from '../../src/media/media-port.ts';
import type { WaitingSound } from '../../src/media/waiting-sound.ts';
import type { Role, SessionMode } from '../../src/roles.ts';

const ports = { customer: {} as MediaPort, agent: {} as MediaPort };
const tone: WaitingSound = { kind: 'tone', hz: 425, levelDb: -30, onMs: 1000, offMs: 4000 };

/** What the party of a role hears; both are there unless told otherwise. */
function heard(
  role: Role,
  mode: SessionMode,
  { there = ['customer', 'agent'], held = [], ...more }: Partial<HearingFacts> & Wishes = {},
): string {
  const parties = new Map<Role, Party>();
  for (const one of there) parties.set(one, { port: ports[one], held: held.includes(one) });
  const facts = { mode, parties, passthrough: false, mixOriginalDb: null, waitingSound: tone, ...more };
  const { translation, original, waiting } = hearingOf(role, facts);
  const from = original && (original.from === ports.customer ? 'customer' : 'agent');
  const ducked = original?.duckedDb === undefined ? '' : ` ${original.duckedDb} dB under it`;
  const parts = [
    translation ? 'translation' : '',
    original ? `${from} at ${original.gainDb} dB${ducked}` : '',
    waiting === tone ? 'waiting' : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
interface Wishes {
  there?: Role[];
  held?: Role[];
}

describe('what a party hears', () => {
  const both = 'bidirectional_translation';
  const assisted = 'assistive_translation';

  test.each([
    ['customer', both, {}, 'translation'],
    ['agent', both, {}, 'translation'],
    ['customer', assisted, {}, 'translation'],
    ['agent', assisted, {}, 'customer at 0 dB'],
    ['customer', 'ai_agent', { there: ['customer'] }, 'translation'],
    ['customer', 'help_chat_voice', { there: ['customer'] }, 'translation'],
  ] as const)('as %s in %s', (role, mode, facts, expected) => {
    expect(heard(role, mode, facts as Wishes)).toBe(expected);
  });

  test.each([both, assisted] as const)('alone in %s: the pipeline, else the waiting sound', (mode) => {
    expect(heard('customer', mode, { there: ['customer'] })).toBe('translation, waiting');
    expect(heard('agent', mode, { there: ['agent'] })).toBe('translation, waiting');
  });

  test('the original under its translation, where that is wanted, and no other than its own', () => {
    const mixOriginalDb = -18;
    expect(heard('customer', both, { mixOriginalDb })).toBe('translation, agent at 0 dB -18 dB under it');
    expect(heard('agent', both, { mixOriginalDb })).toBe('translation, customer at 0 dB -18 dB under it');
    expect(heard('agent', assisted, { mixOriginalDb })).toBe('customer at 0 dB');
    expect(heard('customer', 'ai_agent', { mixOriginalDb, there: ['customer'] })).toBe('translation');
  });

  test.each([both, assisted] as const)('each other in %s while there is no translation', (mode) => {
    const facts = { passthrough: true, mixOriginalDb: -18 };
    expect(heard('customer', mode, facts)).toBe('agent at 0 dB');
    expect(heard('agent', mode, facts)).toBe('customer at 0 dB');
    expect(heard('agent', mode, { ...facts, there: ['agent'] })).toBe('waiting');
  });

  test('of a party on hold what was said before it, and the waiting sound', () => {
    expect(heard('customer', both, { held: ['agent'], mixOriginalDb: -18 })).toBe('translation, waiting');
    expect(heard('agent', assisted, { held: ['customer'] })).toBe('waiting');
    expect(heard('customer', both, { held: ['agent'], passthrough: true })).toBe('waiting');
    expect(heard('agent', both, { held: ['agent'] })).toBe('translation');
  });
});
