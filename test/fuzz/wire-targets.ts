import assert from 'node:assert/strict';
import { FrameError, FrameReader } from '../../src/drachtio-frames.ts';
import { parseAppMessage } from '../../src/sip-engine/app-message.ts';
import { MAX_FRAME_BYTES, parseFrame } from '../../src/sip-engine/drachtio-wire.ts';
import { type SipMessage, SipParseError } from '../../src/sip-engine/message.ts';
import { EngineHarness, framed, request, SDP, SECRET } from '../support/engine-harness.ts';
import { type Target, target } from './fuzz.ts';
import { mutateBytes, sipPieces } from './mutate.ts';
import { pick, type Random } from './random.ts';

/** What applications send over drachtio's protocol. */

const id = '0a4e3c0e-0000-4000-8000-000000000000';
const payloads = [
  `authenticate|${SECRET}|`,
  'route|invite',
  'remove_route|invite',
  'ping',
  `sip|${id}|\r\nSIP/2.0 200 OK\r\nCall-ID: a\r\ncseq: 1 INVITE\r\ncontent-length: 3\r\n\r\n${SDP}`,
  `sip||call@peer;from-tag=theirs\r\nBYE sip:placeholder SIP/2.0\r\nreason: x\r\n\r\n`,
  'sip||\r\nINVITE sip:bob@192.0.2.9 SIP/2.0\r\nfrom: <sip:a@localhost>;tag=1\r\n\r\nv=0',
  'sip|||sip:192.0.2.9:5070;transport=tcp\r\nOPTIONS sip:bob@example.com SIP/2.0\r\n\r\n',
  `proxy|${id}|remainInDialog||followRedirects|serial|10|60|sip:192.0.2.9\r\nINVITE sip:x SIP/2.0\r\n\r\n`,
].map((payload) => `${id}|${payload}`);
const frames = payloads.map((payload) => framed(payload));
const pieces = [
  ...sipPieces,
  ...['#', '|', '||', '1#', '00056#', '99999#', '5x#', '0#', '-1#', 'sip|', id].map((text) =>
    Buffer.from(text),
  ),
];

/** Some frames in a row; their contents damaged, with the right length around them, or their bytes. */
function mutant(random: Random): Buffer {
  const row = Array.from({ length: 1 + random(4) }, () => {
    const kind = random(3);
    if (kind === 0) return pick(frames, random);
    if (kind === 1) return mutateBytes(pick(frames, random), pieces, frames, random);
    const payload = mutateBytes(Buffer.from(pick(payloads, random)), pieces, frames, random);
    return Buffer.concat([Buffer.from(`${payload.length}#`), payload]);
  });
  return Buffer.concat(row);
}

/** Reads pieces of a stream of frames until the first that is none. */
function payloadsOf(chunks: readonly Buffer[]): string[] {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  const read: string[] = [];
  try {
    for (const chunk of chunks) {
      for (const payload of reader.feed(chunk)) {
        read.push(payload.toString('latin1'));
        parseFrame(payload);
      }
    }
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    read.push('no frame');
  }
  return read;
}

const wire = target<string[]>({
  name: 'drachtio frames',
  mutant,
  read: (bytes) => payloadsOf([bytes]),
  check(whole, bytes) {
    const trickled = payloadsOf(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    // A whole chunk is given up with its first bad length; byte by byte, what stood in front of that was read.
    const bad = whole.at(-1) === 'no frame';
    assert.deepEqual(bad ? trickled.at(-1) : trickled, bad ? 'no frame' : whole);
    return !bad && whole.length > 0;
  },
});

/** A connection of an application that has authenticated, in an engine with a call that waits for an answer. */
const session = target<{ answers: number; ended: boolean }>({
  name: 'drachtio session',
  mutant,
  read(bytes) {
    const harness = new EngineHarness();
    const app = harness.app('invite', 'bye');
    harness.receive(request({ body: SDP }), harness.peer());
    app.session.receive(bytes);
    app.session.receive(Buffer.from(bytes.toString('latin1').replaceAll(id, app.transactionId), 'latin1'));
    app.session.closed();
    harness.core.close();
    return { answers: app.frames.length, ended: app.ended };
  },
  check: ({ ended }) => !ended,
});

const appMessage = target<SipMessage | undefined>({
  name: 'message of the application',
  mutant: (random) => {
    const text = pick(payloads.slice(4), random);
    return mutateBytes(Buffer.from(text.slice(text.indexOf('\n') + 1)), pieces, frames, random);
  },
  read(bytes) {
    try {
      return parseAppMessage(bytes);
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      return undefined;
    }
  },
  check: (message) => message !== undefined,
});

export const wireTargets: readonly Target[] = [wire, session, appMessage];
