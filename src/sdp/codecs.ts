import type { CodecName } from '../config/codecs.ts';
import type { Payload } from './parse.ts';

/** How each codec stands in SDP. Source: RFC 3551 §6 (G.722 says 8000, and has 16 kHz), RFC 7587
 * §4.1 (Opus says 48000/2, whatever it carries). */
interface Form {
  readonly clockRate: number;
  readonly channels: number;
  /** Its static payload type, or the one that most give it. */
  readonly payloadType: number;
  /** What we ask of those who send it to us. */
  readonly fmtp?: string;
}

export const forms: Readonly<Record<CodecName, Form>> = {
  PCMU: { clockRate: 8000, channels: 1, payloadType: 0 },
  PCMA: { clockRate: 8000, channels: 1, payloadType: 8 },
  G722: { clockRate: 8000, channels: 1, payloadType: 9 },
  opus: { clockRate: 48_000, channels: 2, payloadType: 111, fmtp: 'useinbandfec=1' },
};

const byName = new Map(Object.keys(forms).map((name) => [name.toUpperCase(), name as CodecName]));

/** The codec that a payload type stands for, if it is one of ours. Names decide, not numbers: a dynamic one may be PCMU. */
export function codecOf({ name, clockRate, channels }: Payload): CodecName | undefined {
  const codec = byName.get(name);
  const form = codec && forms[codec];
  return form?.clockRate === clockRate && form.channels === channels ? codec : undefined;
}
