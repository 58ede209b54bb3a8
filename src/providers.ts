/** Who hands calls over to us by their own API, and has numbers. */
export const carriers = ['twilio', 'telnyx'] as const;
export type Carrier = (typeof carriers)[number];

/**
 * How the audio of a party comes to a session, and of a session: how it was routed (contract §3). `webrtc` stands for the
 * streaming clients of Kallglot: no telephony is in between.
 */
export const providers = [...carriers, 'sip', 'webrtc'] as const;
export type Provider = (typeof providers)[number];
