import { listenerOf, type Role, roles } from '../../src/roles.ts';
import { Histogram } from './histogram.ts';
import type { Outage } from './restarted-pipeline.ts';
import type { SoundChange } from './rtp-program.ts';
import { translations, voices } from './sounds.ts';

/** What all parties together heard of one outage. */
export interface HeardOutage {
  /** From the loss until the other's own voice is heard, ms; those who never heard it are not in it. */
  passthrough: Times;
  /** From the moment on which the pipeline is there again until the translation is heard, ms. */
  back: Times;
  /** Times that a party began to hear what it should not hear: itself, or its own translation. */
  wrong: number;
}

interface Times {
  parties: number;
  p50: number;
  p99: number;
  max: number;
}

export type Heard = Readonly<Record<Role, readonly SoundChange[]>>;

/** @param heard from the loss on, by the role of those who heard it, in the order in which it came */
export function heardOutage({ from, to }: Outage, heard: Heard): HeardOutage {
  const [passthrough, back] = [new Histogram(), new Histogram()];
  let wrong = 0;
  for (const role of roles) {
    const other = listenerOf('bidirectional_translation', role);
    for (const at of firstByStream(heard[role], voices[other], from)) passthrough.add(at - from);
    for (const at of firstByStream(heard[role], translations[other], to)) back.add(at - to);
    wrong += heard[role].filter(({ sound }) => ![voices[other], translations[other]].includes(sound)).length;
  }
  return { passthrough: timesOf(passthrough), back: timesOf(back), wrong };
}

/** When each stream first began to hear a sound. */
function firstByStream(changes: readonly SoundChange[], sound: number, since: number): Iterable<number> {
  const first = new Map<number, number>();
  for (const change of changes) {
    if (change.sound === sound && change.at >= since && !first.has(change.stream))
      first.set(change.stream, change.at);
  }
  return first.values();
}

const timesOf = (times: Histogram): Times => ({
  parties: times.count,
  p50: times.percentile(0.5),
  p99: times.percentile(0.99),
  max: times.max,
});
