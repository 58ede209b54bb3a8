import type { Role } from '../../src/roles.ts';
import type { CallTransportName } from './call-transport.ts';
import type { HeardOutage } from './heard-outage.ts';
import type { OverloadJob, OverloadResult } from './overload-job.ts';
import type { GeneratorReport } from './rtp-program.ts';
import type { SoakJob, SoakResult } from './soak-job.ts';
import type { GenerationSpeech } from './speech-received.ts';

/** What the load test's processes tell each other, over Node's IPC. */

/** Where the gateway is, and how a session is made there. */
export interface Target {
  apiUrl: string;
  apiKey: string;
  sip: { host: string; port: number };
}

/** Calls that are held for a while, with numbered audio both ways. */
export interface HeldCallsJob {
  kind: 'held calls';
  target: Target;
  calls: number;
  warmUpSeconds: number;
  seconds: number;
}

/** What calls speak: G.711, Opus, or G.711 in SRTP. */
export type MediaKind = 'PCMU' | 'opus' | 'srtp';

/** What sends the audio of calls. */
export interface AudioProgram {
  /** Path of `rtp-generator`, and of the file with the packets that it sends. */
  program: string;
  packets: string;
}

/** Calls that are held for a while, their audio by the program in C. */
export interface MediaCallsJob extends AudioProgram {
  kind: 'media calls';
  target: Target;
  media: MediaKind;
  calls: number;
  warmUpSeconds: number;
  seconds: number;
}

/** Calls that are set up and hung up at once, at a steady rate. */
export interface SetUpsJob {
  kind: 'set-ups';
  target: Target;
  perSecond: number;
  seconds: number;
}

/** The same, by a generator that costs little itself, over any transport. */
export interface SipSetUpsJob {
  kind: 'sip set-ups';
  target: Target;
  transport: CallTransportName;
  perSecond: number;
  /** At the same rate; not measured. */
  warmUpSeconds: number;
  seconds: number;
  /** Whether any id is a session there, so that none has to be made. */
  anySession: boolean;
  /** Calls from one look at the memory to the next; 0: none on the way. */
  markEvery: number;
  /** s after the last call until a last look at the memory. */
  restSeconds: number;
}

/** Sessions of two parties, held for a while; then their pipeline is killed and started again, so many times. */
export interface BridgeJob {
  kind: 'bridge';
  target: Target;
  sessions: number;
  warmUpSeconds: number;
  seconds: number;
  restarts: number;
  /** From the end of a pipeline's process until the next one listens. */
  outageMs: number;
  /** Where the pipeline is to listen, and the file to which its processes add what they take; absent: there is another. */
  pipeline?: { port: number; speechFile: string };
  /** Path of `rtp-generator`, and of the files with the packets that each party sends. */
  program: string;
  packets: Readonly<Record<Role, string>>;
}

/** Clients of streams, as they come by WebSocket. */
export const streamClients = ['kallglot', 'twilio', 'telnyx'] as const;
export type StreamClientName = (typeof streamClients)[number];

/** Sessions of two parties that both come by WebSocket, held for a while. */
export interface StreamsJob {
  kind: 'streams';
  target: Target;
  client: StreamClientName;
  sessions: number;
  warmUpSeconds: number;
  seconds: number;
}

export type Job =
  | HeldCallsJob
  | MediaCallsJob
  | SetUpsJob
  | SipSetUpsJob
  | BridgeJob
  | StreamsJob
  | SoakJob
  | OverloadJob;

/** Counts of packets are of those that were sent in the measured interval, whenever they came back; times are ms. */
export interface HeldCallsResult {
  kind: 'held calls';
  /** Calls that were up from the first to the last moment of the interval. */
  held: number;
  sent: number;
  returned: number;
  /** Returned once more, or with bytes that nobody sent. */
  duplicated: number;
  damaged: number;
  /** Packets of silence between those that were sent. */
  silence: number;
  /** |gap between two arrivals - 20 ms|. */
  jitter: { p50: number; p99: number; p999: number };
  /** Share of gaps over 30 ms. */
  lateShare: number;
  /** From sending a packet to its return: the gateway's and the echo's buffers. */
  delay: { p50: number; p99: number };
  /** How late the generator itself was: what is above this in `jitter` is the gateway's. */
  generatorLate: { p99: number };
}

export interface MediaCallsResult {
  kind: 'media calls';
  /** Calls that were up from the first to the last moment of the interval; at least one. */
  held: number;
  /** Set-ups that were refused, and tried again. */
  triedAgain: number;
  /** Why calls could not be set up in the end, and how many. */
  failures: Record<string, number>;
  streams: GeneratorReport;
}

export interface SetUpsResult {
  kind: 'set-ups';
  tried: number;
  /** 200 to INVITE and 200 to BYE. */
  succeeded: number;
  /** Requests that were sent again because no answer came within 500 ms. */
  retransmitted: number;
  /** INVITE to 200, ms. */
  setUp: { p50: number; p99: number; max: number };
  /** What went wrong, and how often. */
  failures: Record<string, number>;
}

/** Counts are of calls that began in the measured interval; times are ms. */
export interface SipSetUpsResult {
  kind: 'sip set-ups';
  tried: number;
  /** 200 to INVITE and 200 to BYE. */
  succeeded: number;
  retransmitted: number;
  /** INVITE to 200. */
  setUp: { p50: number; p95: number; p99: number; max: number };
  failures: Record<string, number>;
  /** How late the generator itself was with an INVITE: what is above this in `setUp` is the gateway's. */
  generatorLate: { p99: number };
}

export interface BridgeResult {
  kind: 'bridge';
  /** Sessions whose two parties were up at the end of the interval, and after the last restart. */
  held: number;
  heldAfter: number;
  /** Parties that heard the other's translation at the end of the interval. */
  translated: number;
  /** What each party's side heard in the interval. */
  streams: Readonly<Record<Role, GeneratorReport>>;
  /** `ms`: how long nobody listened. */
  outages: readonly (HeardOutage & { ms: number })[];
  /** By the pipeline's processes: the first one is that of the interval. */
  speech: readonly GenerationSpeech[];
}

export interface StreamsResult {
  kind: 'streams';
  /** Sessions whose two parties were up at the end of the interval. */
  held: number;
  /** Parties that heard the other's translation at the end of the interval. */
  translated: number;
}

export type Result =
  | StreamsResult
  | HeldCallsResult
  | MediaCallsResult
  | SetUpsResult
  | SipSetUpsResult
  | BridgeResult
  | SoakResult
  | OverloadResult;

/** A job that could not be done; its message tells whoever waits for the figures why. */
export class JobFailure extends Error {}

/** From the generator: the interval begins, it is over, a moment to look at the memory, what came out, why nothing does. */
export type Report =
  | { type: 'begins' }
  | { type: 'over' }
  | { type: 'mark' }
  | { type: 'result'; result: Result }
  | { type: 'failed'; reason: string };
