import { parentPort, workerData } from 'node:worker_threads';
import type { LegHearing } from './hearing.ts';
import type { MediaSettings } from './media-port.ts';
import { loadOpus } from './opus-codec.ts';
import { Pacer, Schedule } from './pacer.ts';
import { RingLeg } from './ring-leg.ts';
import { RtpLeg } from './rtp-leg.ts';
import { openSockets } from './sockets.ts';
import { preferThisThread } from './thread-priority.ts';
import { WorkerClock } from './worker-clock.ts';
import type { FromWorker, ToWorker, WorkerData } from './worker-protocol.ts';

/**
 * Entry of a media worker: a thread that owns the sockets of its legs and sends for them by one clock. It waits for
 * nothing but the network and that clock (architecture, "Threads").
 */
const port = parentPort;
if (!port) throw new Error('media-worker.ts runs as a worker thread only');

type WorkerLeg = RtpLeg | RingLeg;

const legs = new Map<number, WorkerLeg>();
const schedule = new Schedule<WorkerLeg>();
const pacer = new Pacer(performance.now());
const { clock: clockBuffer, sockets: wantedSockets, files } = workerData as WorkerData;
const clock = new WorkerClock(clockBuffer);
const sockets = await openSockets(wantedSockets, files);
let pacing = false;

const emit = (message: FromWorker): void => port.postMessage(message);

function open(message: ToWorker & { type: 'open' }): void {
  const { setup } = message;
  try {
    const leg =
      setup.kind === 'rtp' ? new RtpLeg(setup, sockets, emit) : new RingLeg(setup, emit, performance.now());
    legs.set(setup.leg, leg);
    schedule.add(leg);
    schedule.setPeriod(leg, leg.period);
  } catch (error) {
    const { code = 'UNKNOWN', message: detail } = error as NodeJS.ErrnoException;
    emit({ type: 'open_failed', leg: setup.leg, code, detail });
    return;
  }
  emit({ type: 'opened', leg: setup.leg });
  if (pacing) return;
  pacer.resume(performance.now());
  pace();
}

function configure(id: number, settings: MediaSettings): void {
  const leg = legs.get(id);
  if (leg?.kind !== 'rtp') return;
  try {
    leg.configure(settings, performance.now());
  } catch (error) {
    leg.fail(error);
  }
  schedule.setPeriod(leg, leg.period);
}

function hold(id: number, held: boolean): void {
  const leg = legs.get(id);
  if (leg?.kind === 'ring') leg.hold(held, performance.now());
}

function press({ leg: id, digits, durationMs, gapMs }: ToWorker & { type: 'press' }): void {
  const leg = legs.get(id);
  if (leg?.kind === 'rtp') leg.press(digits, durationMs, gapMs);
}

/** The other leg may be in another worker, if one has died meanwhile: then it is not heard. */
function hear(id: number, { original, ...rest }: LegHearing): void {
  const from = original && legs.get(original.from)?.voice;
  if (original && !from) emit({ type: 'unheard', leg: id });
  legs.get(id)?.hear({ ...rest, original: original && from ? { ...original, from } : null });
}

function close(id: number): void {
  const leg = legs.get(id);
  if (!leg) return;
  legs.delete(id);
  schedule.remove(leg);
  leg.close(() => emit({ type: 'closed', leg: id }));
}

function tick(leg: WorkerLeg, now: number): void {
  try {
    leg.tick(pacer.slot, now);
  } catch (error) {
    leg.fail(error);
  }
}

/** Takes what has come, sends what is due, and sleeps until it must do so again; rests while there are no legs. */
function pace(): void {
  pacing = legs.size > 0;
  if (!pacing) return;
  sockets.poll();
  const now = performance.now();
  const lateMs = pacer.lateness(now);
  while (pacer.take(now)) {
    for (const leg of schedule.at(pacer.slot)) tick(leg, now);
  }
  if (lateMs >= 0) clock.woke(lateMs, pacer.skipped);
  setTimeout(pace, Math.min(Math.ceil(pacer.delay(performance.now())), sockets.pollMs));
}

preferThisThread();
// A failure shows at the first call that needs it, and costs that call only.
loadOpus().catch(() => undefined);
emit({ type: 'ready', sockets: sockets.kind });
port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      open(message);
      break;
    case 'configure':
      configure(message.leg, message.settings);
      break;
    case 'hold':
      hold(message.leg, message.held);
      break;
    case 'hear':
      hear(message.leg, message.hearing);
      break;
    case 'start':
      legs.get(message.leg)?.startSending(performance.now());
      break;
    case 'press':
      press(message);
      break;
    case 'close':
      close(message.leg);
      break;
  }
});
