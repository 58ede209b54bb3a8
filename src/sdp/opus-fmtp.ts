/** What a peer wants of the Opus that it gets (RFC 7587 §6.1); fits the media port's settings. */
export interface OpusParameters {
  maxAverageBitrate: number | null;
  maxPlaybackRateHz: number;
  inbandFec: boolean;
  dtx: boolean;
  constantBitrate: boolean;
}

const BITRATES = { from: 6000, to: 510_000 };
const RATES = { from: 8000, to: 48_000 };

/**
 * Reads `a=fmtp` of Opus. What is out of its bounds is as good as not said, and so is what does not concern the sender:
 * `stereo` only allows what we do not do, and the `sprop-` ones are about what the peer sends.
 */
export function readOpusFmtp(fmtp: string): OpusParameters {
  const values = new Map<string, string>();
  for (const part of fmtp.split(';')) {
    const [name = '', value = ''] = part.split('=', 2);
    values.set(name.trim().toLowerCase(), value.trim());
  }
  const isOn = (name: string): boolean => values.get(name) === '1';
  const number = (name: string, { from, to }: typeof RATES): number | null => {
    const value = values.get(name) ?? '';
    return /^\d{1,9}$/.test(value) && Number(value) >= from && Number(value) <= to ? Number(value) : null;
  };
  return {
    maxAverageBitrate: number('maxaveragebitrate', BITRATES),
    maxPlaybackRateHz: number('maxplaybackrate', RATES) ?? RATES.to,
    inbandFec: isOn('useinbandfec'),
    dtx: isOn('usedtx'),
    constantBitrate: isOn('cbr'),
  };
}
