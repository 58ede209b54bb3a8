import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Histogram } from './histogram.ts';
import type { Report, SetUpsJob, SetUpsResult } from './load-job.ts';
import { atRate } from './pace.ts';
import { SipCaller } from './sip-caller.ts';

/** INVITE, 200, ACK and BYE at a steady rate, whether the gateway keeps up or not. */
export async function setUpCalls(
  job: SetUpsJob,
  sessionIds: string[],
  report: (report: Report) => void,
): Promise<SetUpsResult> {
  const caller = await SipCaller.open(job.target);
  // What the gateway sends before it has the BYE ends here.
  const sink = createSocket('udp4');
  sink.bind(0, '127.0.0.1');
  await once(sink, 'listening');
  const rtpPort = sink.address().port;

  const times = new Histogram();
  const failures: Record<string, number> = {};
  let succeeded = 0;
  const setUpOne = async (sessionId: string) => {
    try {
      const call = await caller.call(sessionId, rtpPort);
      times.add(call.setUpMs);
      await caller.hangUp(call);
      succeeded++;
    } catch (error) {
      const { message } = error as Error;
      failures[message] = (failures[message] ?? 0) + 1;
    }
  };
  const work: Promise<void>[] = [];
  report({ type: 'begins' });
  await atRate(sessionIds.length, job.perSecond, (i) => work.push(setUpOne(sessionIds[i] as string)));
  await Promise.all(work);
  report({ type: 'over' });
  sink.close();
  const { retransmitted } = caller;
  await caller.close();
  const setUp = { p50: times.percentile(0.5), p99: times.percentile(0.99), max: times.max };
  return { kind: 'set-ups', tried: sessionIds.length, succeeded, retransmitted, setUp, failures };
}
