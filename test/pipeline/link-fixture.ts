import { pino } from 'pino';
import { expect } from 'vitest';
import { type AudioFormat, bytesPerMs, MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { newSessionId } from '../../src/ids.ts';
import { kallglotDialect } from '../../src/pipeline/kallglot-dialect.ts';
import type {
  LinkEvent,
  LinkOptions,
  PipelineLink,
  PipelineLinks,
} from '../../src/pipeline/pipeline-link.ts';
import { createPipelineLinks } from '../../src/pipeline/pipeline-links.ts';

export const tokenSecret = 'a-secret-of-the-tests';

/** How long a condition may take on a busy machine; it is asked every few ms. */
export const patience = { timeout: 10_000, interval: 5 };

/** What the media worker does for a leg, by hand. */
export class TestLeg {
  readonly inbound: AudioRing;
  readonly outbound = AudioRing.create(8192);
  #heard = Buffer.alloc(0);

  /** @param input what the pipeline gets of it */
  constructor(input: AudioFormat = MULAW_8K) {
    this.inbound = AudioRing.create(2 ** Math.ceil(Math.log2(1024 * bytesPerMs(input))));
  }

  /** The party says this, as fast as the ring takes it. */
  async say(audio: Buffer): Promise<void> {
    for (let at = 0; at < audio.length; ) {
      await expect.poll(() => this.inbound.writable, patience).toBeGreaterThan(0);
      at += this.inbound.write(audio, at);
    }
  }

  /** All that the party has heard; takes what is there now, without waiting for real time. */
  heard(): Buffer {
    this.outbound.applyFlush();
    const audio = Buffer.alloc(this.outbound.readable);
    this.outbound.read(audio);
    this.#heard = Buffer.concat([this.#heard, audio]);
    return this.#heard;
  }
}

/** A clock that runs `factor` times as fast, for timeouts of seconds. */
export function fastClock(factor: number): Clock {
  return { now: systemClock.now, monotonic: () => performance.now() * factor };
}

/** A monotonic clock that stands still until it is set. */
export class ManualClock implements Clock {
  time = 0;
  readonly now = systemClock.now;
  monotonic(): number {
    return this.time;
  }
}

export interface LinkSetup {
  url: string;
  clock?: Clock;
  extensions?: boolean;
  chunkMs?: number;
  /** 0 when it is not given: a link that is lost is given up at once. */
  reconnectSeconds?: number;
  keepTrying?: boolean;
  replay?: 'sequence' | 'none';
  mode?: LinkOptions['mode'];
  sourceLanguage?: string | null;
  targetLanguage?: string | null;
}

export interface TestLink {
  links: PipelineLinks;
  link: PipelineLink;
  events: LinkEvent[];
  sessionId: string;
}

export function makeLink(setup: LinkSetup): TestLink {
  const dialect = kallglotDialect({
    url: setup.url,
    tokenSecret,
    chunkMs: setup.chunkMs ?? 20,
    extensions: setup.extensions ?? false,
  });
  const links = createPipelineLinks({
    dialectOf: () => ({ ...dialect, replay: setup.replay ?? 'sequence' }),
    reconnectSeconds: setup.reconnectSeconds ?? 0,
    clock: setup.clock ?? systemClock,
    log: pino({ level: 'silent' }),
  });
  const events: LinkEvent[] = [];
  const sessionId = newSessionId();
  const link = links.create({
    sessionId,
    organizationId: 'acme',
    mode: setup.mode ?? 'bidirectional_translation',
    sourceLanguage: setup.sourceLanguage ?? null,
    targetLanguage: setup.targetLanguage ?? null,
    keepTrying: setup.keepTrying ?? false,
    onEvent: (event) => events.push(event),
  });
  return { links, link, events, sessionId };
}

export async function openLink(setup: LinkSetup): Promise<TestLink> {
  const made = makeLink(setup);
  await made.link.open(new AbortController().signal);
  return made;
}

/** Mu-law that is not silence, different at every sample for a while. */
export function speech(bytes: number, seed = 0): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + Math.floor(i / 97) + seed) % 0x60),
  );
}

/** Audio whose every 4 bytes tell where they belong; `from` and `bytes` are multiples of 4. */
export function counterAudio(from: number, bytes: number): Buffer {
  const audio = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 4) audio.writeUInt32BE((from + at) / 4, at);
  return audio;
}
