/** What a peer's SDP wants of the Opus that is sent to it (RFC 7587 §6.1). */
export interface OpusSettings {
  /** Bits per second at most; null = as we like. */
  maxAverageBitrate: number | null;
  /** The highest sampling rate that it plays, Hz: what is above half of it is not sent. */
  maxPlaybackRateHz: number;
  /** It can use the copy of a packet that travels with the next one. */
  inbandFec: boolean;
  /** Nothing is to be sent in pauses. */
  dtx: boolean;
  constantBitrate: boolean;
}

/** What holds without a word about it. */
export const defaultOpusSettings: OpusSettings = {
  maxAverageBitrate: null,
  maxPlaybackRateHz: 48_000,
  inbandFec: false,
  dtx: false,
  constantBitrate: false,
};
