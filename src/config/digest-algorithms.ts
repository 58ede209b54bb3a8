/** What a challenge may offer and a password's HA1 is kept for (RFC 7616, RFC 8760). */
export const digestAlgorithms = ['MD5', 'SHA-256', 'SHA-512-256'] as const;
export type DigestAlgorithm = (typeof digestAlgorithms)[number];
