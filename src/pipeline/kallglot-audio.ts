import { decodeBase64 } from '../audio/base64.ts';
import type { Encoding, SampleRate } from '../audio/format.ts';
import { MAX_AUDIO_BYTES, type PipelineMessage } from './dialect.ts';

/**
 * `audio.output` in the form that pipelines write it in, straight from the bytes of its frame: a quarter of the time of
 * `JSON.parse` and a schema, and no objects that the garbage collector has to carry from one generation to the next.
 * Only what is beyond doubt is read here: keys in the order of the contract, no escapes, a payload that is base64.
 * Whatever else a message may be, `readMessage` reads it; of what is read here it would say the same.
 */
const HEAD =
  /^\{"type": ?"audio\.output", ?(?:"sequence": ?(?:0|[1-9]\d{0,14}), ?)?(?:"speaker": ?"(\w{1,40})", ?)?"audio": ?\{"encoding": ?"(mulaw|alaw|pcm_16)", ?"sample_rate_hz": ?(8000|16000|24000|48000), ?(?:"channels": ?1, ?)?"payload": ?"$/;
const PAYLOAD = '"payload":';
const SPACE = 0x20;
const END = '"}}';

/** Shared by all streams: what is in it has been copied by the time the next message is read. */
const decoded = Buffer.allocUnsafeSlow(MAX_AUDIO_BYTES);

/** @returns the message, its payload valid until the next call; undefined where it is for `readMessage` to read */
export function readUsualAudio(frame: Buffer): PipelineMessage | undefined {
  const key = frame.indexOf(PAYLOAD, 0, 'latin1');
  if (key < 0) return undefined;
  const quote = key + PAYLOAD.length + Number(frame[key + PAYLOAD.length] === SPACE);
  const end = frame.length - END.length;
  if (end <= quote || frame.toString('latin1', end) !== END) return undefined;
  const head = HEAD.exec(frame.toString('latin1', 0, quote + 1));
  if (head === null) return undefined;
  const payload = decodeBase64(frame.toString('latin1', quote + 1, end), decoded);
  if (payload === undefined) return undefined;
  return {
    type: 'audio',
    speaker: head[1],
    encoding: head[2] as Encoding,
    sampleRateHz: Number(head[3]) as SampleRate,
    payload,
  };
}
