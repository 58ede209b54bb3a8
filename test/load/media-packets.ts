import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Role, roles } from '../../src/roles.ts';
import { forms, PhoneEncoders } from '../support/phone-codecs.ts';
import { Srtp } from '../support/srtp.ts';
import { readWav, speechFile } from '../support/wav.ts';
import type { MediaKind } from './load-job.ts';
import { voices } from './sounds.ts';

/**
 * The packets that every stream of the load test sends, one every 20 ms, as `rtp-generator` reads them from a file. They
 * are the same for all calls, keys included, so that nothing has to be made while it is measured.
 */
const PACKET_MS = 20;
const SAMPLES = 160;
const HEADER_BYTES = 12;
/** A byte of mu-law that is loud, so that nobody takes the payload for a pause. */
const LOUD = 0x2a;

/** The caller's SRTP key: of the suite that every PBX knows. */
export const srtpOffer = {
  tag: 1,
  suite: 'AES_CM_128_HMAC_SHA1_80' as const,
  key: Buffer.alloc(30, 'a key of the load test').toString('base64'),
};

export const codecOf = (kind: MediaKind): 'PCMU' | 'opus' => (kind === 'opus' ? 'opus' : 'PCMU');

/** The same sound again and again. @param count packets, more than are sent @param sound mu-law */
function writeSound(file: string, sound: number, count: number): void {
  const payload = Buffer.alloc(SAMPLES, sound);
  const parts = Array.from({ length: count }, (_, number) => [
    lengthOf(HEADER_BYTES + SAMPLES),
    rtpHeader(number, 0, SAMPLES),
    payload,
  ]);
  writeFileSync(file, Buffer.concat(parts.flat()));
}

/** What each role says, for so long. @returns the files */
export function writeVoices(folder: string, seconds: number): Record<Role, string> {
  const packets = { customer: join(folder, 'packets-customer'), agent: join(folder, 'packets-agent') };
  for (const role of roles) writeSound(packets[role], voices[role], Math.ceil((seconds * 1000) / PACKET_MS));
  return packets;
}

/** @param count packets, more than are sent: numbers never come twice */
export async function writePackets(file: string, kind: MediaKind, count: number): Promise<void> {
  const codec = codecOf(kind);
  const encoders = await PhoneEncoders.open([codec]);
  const speech = readWav(speechFile);
  const srtp = kind === 'srtp' ? new Srtp(srtpOffer.suite, srtpOffer.key) : undefined;
  const parts: Buffer[] = [];
  for (let number = 0; number < count; number++) {
    const header = rtpHeader(number, forms[codec].payloadType, forms[codec].clock * PACKET_MS);
    const at = (number * SAMPLES) % (speech.length - SAMPLES);
    const payload =
      codec === 'opus' ? encoders.encode(codec, speech.subarray(at, at + SAMPLES)) : numbered(number);
    const plain = Buffer.concat([header, payload]);
    const packet = srtp ? srtp.protect(plain) : plain;
    parts.push(lengthOf(packet.length), packet);
  }
  encoders.close();
  writeFileSync(file, Buffer.concat(parts));
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes);
  return length;
}

function rtpHeader(number: number, payloadType: number, units: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = 0x80;
  header[1] = payloadType;
  header.writeUInt16BE(number & 0xffff, 2);
  header.writeUInt32BE((number * units) >>> 0, 4);
  header.writeUInt32BE(0x10adca11, 8);
  return header;
}

/** Mu-law that is known again when it comes back: the gateway hands it on byte by byte. */
function numbered(number: number): Buffer {
  const payload = Buffer.alloc(SAMPLES, LOUD);
  payload.write('LOAD');
  payload.writeUInt32BE(number, 4);
  return payload;
}
