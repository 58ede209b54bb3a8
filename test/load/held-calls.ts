import { setTimeout as sleep } from 'node:timers/promises';
import { Histogram } from './histogram.ts';
import type { HeldCallsJob, HeldCallsResult, Report } from './load-job.ts';
import { atRate } from './pace.ts';
import { RtpStream, type StreamCounts } from './rtp-stream.ts';
import { SipCaller, type UpCall } from './sip-caller.ts';

const PACKET_MS = 20;
const CALLS_PER_SECOND = 50;
/** Packets on their way have so long to come back, ms. */
const RETURN_MS = 5000;
/** From the pause after the warm-up to the measured interval, ms. */
const SETTLE_MS = 2000;
/** A gap over this is heard, ms. */
const LATE_GAP_MS = 30;

/** Sets up the calls, sends on all of them, and measures an interval of it. @throws Error when a call is refused */
export async function holdCalls(
  job: HeldCallsJob,
  sessionIds: string[],
  report: (report: Report) => void,
): Promise<HeldCallsResult> {
  const counts: StreamCounts = {
    jitter: new Histogram(),
    gaps: new Histogram(),
    delay: new Histogram(),
    silence: 0,
    duplicated: 0,
    damaged: 0,
    measuring: false,
  };
  const caller = await SipCaller.open(job.target);
  const sender = new Sender();
  const { calls, streams } = await setUp(job, caller, sessionIds, sender, counts);

  await sleep(job.warmUpSeconds * 1000);
  // What the set-ups have delayed is played later for as long as nobody pauses: with a pause all start afresh.
  sender.paused = true;
  await allReturned(streams);
  sender.paused = false;
  await sleep(SETTLE_MS);
  for (const stream of streams) stream.beginMeasuring();
  counts.measuring = true;
  sender.late = new Histogram();
  report({ type: 'begins' });
  await sleep(job.seconds * 1000);
  report({ type: 'over' });
  counts.measuring = false;
  for (const stream of streams) stream.endMeasuring();
  const held = calls.length - caller.ended.size;
  const generatorLate = { p99: sender.late.percentile(0.99) };

  // The streams go on meanwhile: nothing changes for the packets that are measured.
  await allReturned(streams);
  sender.stop();
  await caller.hangUpAll(calls);
  for (const stream of streams) stream.close();
  await caller.close();
  return { ...resultOf(streams, counts), held, generatorLate };
}

async function setUp(
  job: HeldCallsJob,
  caller: SipCaller,
  sessionIds: string[],
  sender: Sender,
  counts: StreamCounts,
): Promise<{ calls: UpCall[]; streams: RtpStream[] }> {
  const { calls, warmUpSeconds, seconds } = job;
  const lasts = (calls / CALLS_PER_SECOND + warmUpSeconds + seconds) * 1000 + 2 * RETURN_MS + SETTLE_MS;
  // Half as much again, should the set-ups take longer.
  const maxPackets = Math.ceil((lasts * 1.5) / PACKET_MS);
  const work: Promise<{ call: UpCall; stream: RtpStream }>[] = [];
  const setUpOne = async (i: number) => {
    const stream = await RtpStream.open(i, maxPackets, counts);
    const call = await caller.call(sessionIds[i] as string, stream.port);
    await stream.connect(call.remotePort);
    sender.add(stream);
    return { call, stream };
  };
  await atRate(job.calls, CALLS_PER_SECOND, (i) => work.push(setUpOne(i)));
  const up = await Promise.all(work);
  return { calls: up.map(({ call }) => call), streams: up.map(({ stream }) => stream) };
}

/** Waits until nothing that counts is on its way any more, or is lost. */
async function allReturned(streams: RtpStream[]): Promise<void> {
  const deadline = performance.now() + RETURN_MS;
  const isWaiting = ({ counted }: RtpStream) => counted.returned < counted.sent;
  while (performance.now() < deadline && streams.some(isWaiting)) await sleep(20);
}

function resultOf(
  streams: RtpStream[],
  counts: StreamCounts,
): Omit<HeldCallsResult, 'held' | 'generatorLate'> {
  const { jitter, delay, gaps, silence, duplicated, damaged } = counts;
  const packets = streams.map((stream) => stream.counted);
  return {
    kind: 'held calls',
    sent: packets.reduce((sum, { sent }) => sum + sent, 0),
    returned: packets.reduce((sum, { returned }) => sum + returned, 0),
    duplicated,
    damaged,
    silence,
    jitter: { p50: jitter.percentile(0.5), p99: jitter.percentile(0.99), p999: jitter.percentile(0.999) },
    lateShare: gaps.shareAbove(LATE_GAP_MS),
    delay: { p50: delay.percentile(0.5), p99: delay.percentile(0.99) },
  };
}

/** Sends a packet of each stream every 20 ms, by an absolute schedule; streams are spread over the 20 ms. */
class Sender {
  readonly #phases: RtpStream[][] = Array.from({ length: PACKET_MS }, () => []);
  readonly #startedAt = performance.now();
  /** How late each ms of the schedule was served. */
  late = new Histogram();
  paused = false;
  #streams = 0;
  #slot = 0;
  #stopped = false;

  constructor() {
    this.#run();
  }

  add(stream: RtpStream): void {
    // 7 has no factor in common with 20: neighbours are far apart, and every phase is used.
    this.#phases[(this.#streams++ * 7) % PACKET_MS]?.push(stream);
  }

  stop(): void {
    this.#stopped = true;
  }

  #run(): void {
    if (this.#stopped) return;
    const now = performance.now();
    const due = Math.floor(now - this.#startedAt);
    while (this.#slot < due) {
      this.#slot++;
      this.late.add(now - this.#startedAt - this.#slot);
      if (this.paused) continue;
      for (const stream of this.#phases[this.#slot % PACKET_MS] as RtpStream[]) stream.sendNext(now);
    }
    setTimeout(() => this.#run(), 1);
  }
}
