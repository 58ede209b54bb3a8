import { encode } from './g711.ts';
import { compareHeard } from './heard.ts';
import type { PhoneCall } from './phone-call.ts';

/** A stalled machine may cost a packet. */
export const ENOUGH = 0.9;

/** Speaks at one end, and waits until it is heard at the other. @returns how much of it came, from 0 to 1 */
export async function heardFrom(
  speaker: PhoneCall,
  listener: PhoneCall,
  speech: Int16Array,
  withinMs = 10_000,
): Promise<number> {
  const { startedAt } = await speaker.media.play(speech);
  const deadline = performance.now() + withinMs;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    const sent = encode('PCMU', speech);
    const { speechMatched } = compareHeard(sent, listener.media.heard, { playedAt: startedAt });
    if (speechMatched > ENOUGH || performance.now() > deadline) return speechMatched;
  }
}
