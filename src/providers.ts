/**
 * How the audio of a party comes to a session, and of a session: how it was routed (contract §3). `webrtc` stands for the
 * streaming clients of Kallglot: no telephony is in between.
 */
export const providers = ['twilio', 'telnyx', 'sip', 'webrtc'] as const;
export type Provider = (typeof providers)[number];
