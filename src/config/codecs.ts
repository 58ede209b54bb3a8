/** The codecs that a call can speak, by their names in SDP. */
export const codecNames = ['PCMU', 'PCMA', 'G722', 'opus'] as const;
export type CodecName = (typeof codecNames)[number];
