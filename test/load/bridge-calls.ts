import { setTimeout as sleep } from 'node:timers/promises';
import { type Role, roles } from '../../src/roles.ts';
import { type Heard, type HeardOutage, heardOutage } from './heard-outage.ts';
import type { BridgeJob, BridgeResult, Report } from './load-job.ts';
import { atRate } from './pace.ts';
import { type Outage, RestartedPipeline } from './restarted-pipeline.ts';
import { RtpProgram, type SoundChange } from './rtp-program.ts';
import { createSessions } from './sessions.ts';
import { SipCaller, type UpCall } from './sip-caller.ts';
import { translations } from './sounds.ts';
import { countSpeech, readSpeech } from './speech-received.ts';

const CALLS_PER_SECOND = 50;
/** How often is asked what is heard, ms. */
const LISTEN_MS = 250;
/** After the pipeline is there again: a link that has not come back by then counts as never. */
const BACK_WITHIN_MS = 15_000;
/** So long all must have heard the translation: passthrough could come yet, and what was said is confirmed by two pings. */
const SETTLE_MS = 2500;

/** Two-leg sessions, their parties by a program in C for each role: an interval of them, then the restarts. */
export async function holdBridges(job: BridgeJob, report: (report: Report) => void): Promise<BridgeResult> {
  const { pipeline: own } = job;
  const pipeline = own && (await RestartedPipeline.start(own.port, own.speechFile));
  const parties = await Parties.start(job);
  await parties.call(await createSessions(job.target, job.sessions, 'bidirectional_translation'));
  await sleep(job.warmUpSeconds * 1000);

  report({ type: 'begins' });
  parties.order('measure');
  await sleep(job.seconds * 1000);
  parties.order('over');
  report({ type: 'over' });
  const held = parties.held;
  const translated = await parties.translated();
  const streams = await parties.reports();

  const outages = [];
  for (let restart = 0; pipeline !== undefined && restart < job.restarts; restart++) {
    outages.push(await outageOf(pipeline, parties, job));
  }
  // The gateway's own counts of the restarts.
  report({ type: 'mark' });
  const heldAfter = parties.held;
  await parties.stop();
  await pipeline?.stop();
  const speech = own && pipeline ? countSpeech(readSpeech(own.speechFile), pipeline.generations) : [];
  return { kind: 'bridge', held, heldAfter, translated, streams, outages, speech };
}

async function outageOf(
  pipeline: RestartedPipeline,
  parties: Parties,
  { outageMs }: BridgeJob,
): Promise<HeardOutage & { ms: number }> {
  await parties.listen();
  const outage = await pipeline.restart(outageMs);
  const heard = await parties.untilTranslated(outage);
  return { ...heardOutage(outage, heard), ms: outage.to - outage.from };
}

/** The callers of all sessions, and the programs that speak and listen for them. */
class Parties {
  readonly #rtp: Readonly<Record<Role, RtpProgram>>;
  readonly #caller: SipCaller;
  readonly #calls: UpCall[] = [];
  /** What each stream hears now. */
  readonly #hears: Readonly<Record<Role, Map<number, number>>> = { customer: new Map(), agent: new Map() };

  private constructor(rtp: Readonly<Record<Role, RtpProgram>>, caller: SipCaller) {
    this.#rtp = rtp;
    this.#caller = caller;
  }

  static async start({ program, packets, sessions, target }: BridgeJob): Promise<Parties> {
    const start = (role: Role) => RtpProgram.start(program, [sessions, packets[role], 0]);
    const [customer, agent] = await Promise.all([start('customer'), start('agent')]);
    return new Parties({ customer, agent }, await SipCaller.open(target));
  }

  /** Sessions of which both parties are up. */
  get held(): number {
    return this.#calls.length / 2 - this.#endedSessions;
  }

  get #endedSessions(): number {
    const pairs = this.#calls.length / 2;
    const isOver = (i: number) => this.#caller.ended.has((this.#calls[i] as UpCall).dialog.callId);
    return Array.from({ length: pairs }, (_, i) => i).filter((i) => isOver(i) || isOver(i + pairs)).length;
  }

  /** Both parties call, and speak as soon as all are up. @throws Error when a call is refused */
  async call(sessionIds: readonly string[]): Promise<void> {
    const count = sessionIds.length;
    const work: Promise<UpCall>[] = [];
    await atRate(2 * count, CALLS_PER_SECOND, (i) => {
      const role: Role = i < count ? 'customer' : 'agent';
      const port = this.#rtp[role].ports[i % count] as number;
      work.push(this.#caller.call(sessionIds[i % count] as string, port, { codec: 'PCMU', role }));
    });
    this.#calls.push(...(await Promise.all(work)));
    const ports = this.#calls.map(({ remotePort }) => remotePort);
    this.#rtp.customer.order(ports.slice(0, count).join(' '));
    this.#rtp.agent.order(ports.slice(count).join(' '));
  }

  order(line: string): void {
    for (const role of roles) this.#rtp[role].order(line);
  }

  async reports() {
    return { customer: await this.#rtp.customer.report(), agent: await this.#rtp.agent.report() };
  }

  /** What is new since the last time. */
  async listen(): Promise<Record<Role, SoundChange[]>> {
    const heard = { customer: await this.#rtp.customer.sounds(), agent: await this.#rtp.agent.sounds() };
    for (const role of roles) {
      for (const { stream, sound } of heard[role]) this.#hears[role].set(stream, sound);
    }
    return heard;
  }

  /** How many parties hear the other's translation. */
  async translated(): Promise<number> {
    await this.listen();
    return this.#translated;
  }

  get #translated(): number {
    const count = (role: Role, sound: number) =>
      [...this.#hears[role].values()].filter((heard) => heard === sound).length;
    return count('customer', translations.agent) + count('agent', translations.customer);
  }

  /** @returns what was heard from the beginning of the outage until all were used to the translation again, or could be */
  async untilTranslated({ to }: Outage): Promise<Heard> {
    const heard = await this.listen();
    let since = Date.now();
    while (Date.now() < Math.min(since + SETTLE_MS, to + BACK_WITHIN_MS)) {
      await sleep(LISTEN_MS);
      const more = await this.listen();
      for (const role of roles) heard[role].push(...more[role]);
      if (this.#translated < this.#calls.length) since = Date.now();
    }
    return heard;
  }

  async stop(): Promise<void> {
    await this.#caller.hangUpAll(this.#calls);
    await Promise.all(roles.map((role) => this.#rtp[role].stop()));
    await this.#caller.close();
  }
}
