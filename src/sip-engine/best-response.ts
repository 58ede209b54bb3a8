import { headersOf, type SipResponse } from './message.ts';

/**
 * What became of one target of a proxied request: its final response, or what stands for it. 408: nothing came in time;
 * 503: it could not be reached (RFC 3261 §16.8, §16.9).
 */
export type Outcome = SipResponse | 408 | 503;

/** What goes back: a response that came, or one of our own. */
export type Best = SipResponse | 408 | 500;

/** Most challenges that one response carries to the caller. */
const MOST_CHALLENGES = 16;

/** Responses that tell how to ask again are preferred (RFC 3261 §16.7, step 6). */
const hintful: ReadonlySet<number> = new Set([401, 407, 415, 420, 484]);

const statusOf = (outcome: Outcome): number => (typeof outcome === 'number' ? outcome : outcome.status);

/**
 * The failure that stands for all targets of a request (RFC 3261 §16.7, steps 6 and 7): a 6xx before all others, else the
 * lowest class, and within a class what says most; the first of equals. A 401 or 407 gets the challenges of all. A 503 would
 * say that we are overloaded: it becomes a 500. With no outcome at all it is 408.
 */
export function bestResponse(outcomes: readonly Outcome[]): Best {
  const best = outcomes.toSorted((a, b) => rank(a) - rank(b))[0] ?? 408;
  const status = statusOf(best);
  if (status === 503) return 500;
  if (typeof best === 'number') return 408;
  return status === 401 || status === 407 ? withAllChallenges(best, outcomes) : best;
}

/** The lower the better. */
function rank(outcome: Outcome): number {
  const status = statusOf(outcome);
  if (status >= 600) return 0;
  const ofClass = Math.floor(status / 100) * 10;
  if (hintful.has(status)) return ofClass;
  // What we made ourselves says least.
  if (typeof outcome === 'number') return ofClass + 3;
  return ofClass + (status === 408 || status === 487 || status === 503 ? 2 : 1);
}

function withAllChallenges(best: SipResponse, outcomes: readonly Outcome[]): SipResponse {
  const headers = [...best.headers];
  let left = MOST_CHALLENGES;
  for (const other of outcomes) {
    if (typeof other === 'number' || other === best) continue;
    if (other.status !== 401 && other.status !== 407) continue;
    for (const name of ['WWW-Authenticate', 'Proxy-Authenticate']) {
      const challenges = headersOf(other, name).slice(0, left);
      left -= challenges.length;
      headers.push(...challenges.map((value) => ({ name, value })));
    }
  }
  return { ...best, headers };
}
