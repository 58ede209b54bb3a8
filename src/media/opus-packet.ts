/** How long an Opus packet plays, by its first bytes. Source: RFC 6716 §3.1, §3.2. */

const MAX_MS = 120;

/** ms of one frame, by the configuration number in the first byte. */
const frameMs = Float64Array.from({ length: 32 }, (_, config) => {
  if (config < 12) return [10, 20, 40, 60][config & 3] as number;
  if (config < 16) return [10, 20][config & 1] as number;
  return [2.5, 5, 10, 20][config & 3] as number;
});

/** @returns ms of sound in the packet, 0 when it cannot be an Opus packet */
export function opusPacketMs(bytes: Uint8Array, offset: number, length: number): number {
  if (length === 0) return 0;
  const first = bytes[offset] as number;
  const ms = (frameMs[first >> 3] as number) * framesOf(first & 3, bytes, offset, length);
  return ms <= MAX_MS ? ms : 0;
}

function framesOf(code: number, bytes: Uint8Array, offset: number, length: number): number {
  if (code === 0) return 1;
  if (code < 3) return 2;
  return length < 2 ? 0 : (bytes[offset + 1] as number) & 0x3f;
}
