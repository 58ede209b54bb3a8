/** How a stretch of mono audio is written down, in a ring or in a message. `pcm_16` is little-endian. */
export const encodings = ['mulaw', 'alaw', 'pcm_16'] as const;
export type Encoding = (typeof encodings)[number];
export const sampleRates = [8000, 16_000, 24_000, 48_000] as const;
export type SampleRate = (typeof sampleRates)[number];

export interface AudioFormat {
  readonly encoding: Encoding;
  readonly sampleRateHz: SampleRate;
}

/** What a leg's audio is unless somebody asks for something else. */
export const MULAW_8K: AudioFormat = { encoding: 'mulaw', sampleRateHz: 8000 };

/** Samples of a packet of ours at most: 20 ms at 48 kHz. */
export const MAX_PACKET_SAMPLES = 960;
/** Samples that are written at once at most: 240 ms at 48 kHz. */
export const MAX_SAMPLES = 11_520;

/** The nearest 16-bit sample. */
export const toSample = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)));

export function bytesPerSample({ encoding }: AudioFormat): number {
  return encoding === 'pcm_16' ? 2 : 1;
}

export function bytesPerMs(format: AudioFormat): number {
  return (format.sampleRateHz / 1000) * bytesPerSample(format);
}
