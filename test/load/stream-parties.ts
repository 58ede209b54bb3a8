import { setTimeout as sleep } from 'node:timers/promises';
import { mulawToLinear } from '../../src/audio/g711.ts';
import { type Role, roles } from '../../src/roles.ts';
import type { StreamClient } from '../support/stream-client.ts';
import {
  connectKallglot,
  connectTelnyx,
  connectTwilio,
  type StreamAddress,
  streamAt,
} from '../support/stream-kinds.ts';
import type { Report, StreamClientName, StreamsJob, StreamsResult } from './load-job.ts';
import { inParallel } from './pace.ts';
import { createSession } from './sessions.ts';
import { translations, voices } from './sounds.ts';

const AT_ONCE = 8;
const MARGIN_SECONDS = 60;

/** Sessions of two parties that come by WebSocket: both speak for an interval, and what they hear at its end is looked at. */
export async function holdStreams(job: StreamsJob, report: (report: Report) => void): Promise<StreamsResult> {
  const { target, client, sessions, warmUpSeconds, seconds } = job;
  const parties: Record<Role, StreamClient>[] = [];
  await inParallel(sessions, AT_ONCE, async () => {
    const { stream } = await createSession(target, 'bidirectional_translation');
    const address = streamAt(target.apiUrl, stream);
    const [customer, agent] = await Promise.all(roles.map((role) => connect(client, address, role)));
    parties.push({ customer, agent } as Record<Role, StreamClient>);
  });
  const speaksFor = warmUpSeconds + seconds + MARGIN_SECONDS;
  for (const pair of parties)
    for (const role of roles) pair[role].media.play(new Int16Array(speaksFor * 8000).fill(sampleOf(role)));
  await sleep(warmUpSeconds * 1000);
  report({ type: 'begins' });
  await sleep(seconds * 1000);
  report({ type: 'over' });
  const held = parties.filter((pair) => roles.every((role) => pair[role].isOpen)).length;
  const translated = parties.reduce(
    (sum, pair) => sum + roles.filter((role) => hearsTranslation(pair[role], role)).length,
    0,
  );
  report({ type: 'mark' });
  await Promise.all(parties.flatMap((pair) => roles.map((role) => pair[role].close())));
  return { kind: 'streams', held, translated };
}

function connect(client: StreamClientName, address: StreamAddress, role: Role): Promise<StreamClient> {
  if (client === 'kallglot') return connectKallglot(address, role);
  const connectCarrier = client === 'twilio' ? connectTwilio : connectTelnyx;
  return connectCarrier(address, { parameters: { role } });
}

/** The sound of a voice, as it is encoded again. */
const sampleOf = (role: Role): number => mulawToLinear(Uint8Array.of(voices[role]))[0] ?? 0;

/** Whether the last that came is the translation of what the other says. */
function hearsTranslation({ media }: StreamClient, role: Role): boolean {
  const sound = translations[role === 'customer' ? 'agent' : 'customer'];
  return media.heard.slice(-10).some(({ payload }) => payload.every((byte) => byte === sound));
}
