/**
 * What SDP agrees about SRTP and the media workers carry out. Source: RFC 3711, RFC 4568 (SDES), RFC 7714 (GCM).
 */

/** Lengths of a suite's master key and salt, and of the tag at the end of its RTP packets; bytes. */
interface SuiteForm {
  keyBytes: number;
  saltBytes: number;
  tagBytes: number;
}

/** The suites that are spoken, in the order of our own offers: what every peer knows comes first. */
export const srtpSuites = {
  AES_CM_128_HMAC_SHA1_80: { keyBytes: 16, saltBytes: 14, tagBytes: 10 },
  AES_CM_128_HMAC_SHA1_32: { keyBytes: 16, saltBytes: 14, tagBytes: 4 },
  AEAD_AES_128_GCM: { keyBytes: 16, saltBytes: 12, tagBytes: 16 },
  AEAD_AES_256_GCM: { keyBytes: 32, saltBytes: 12, tagBytes: 16 },
} as const satisfies Record<string, SuiteForm>;

export type SrtpSuite = keyof typeof srtpSuites;

/** What a trunk wants: none, SRTP where the offer has it, nothing without it. */
export const srtpPolicies = ['off', 'optional', 'required'] as const;
export type SrtpPolicy = (typeof srtpPolicies)[number];

/** The keys of a leg. They are secrets: nothing that holds them is logged. */
export interface SrtpSettings {
  suite: SrtpSuite;
  /** Master key and salt of what we send, and of what the peer sends: base64, as `inline:` has them. */
  localKey: string;
  remoteKey: string;
  /** The master key identifier in each of the peer's packets (RFC 3711 §3.1), hex; mostly empty = none. */
  remoteMki: string;
}
