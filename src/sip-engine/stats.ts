/** Counters of the engine since it began, and what it holds now; read over the control port. */
export interface EngineStats {
  datagramsReceived: number;
  messagesReceived: number;
  /** Retransmitted requests that a transaction absorbed. */
  retransmissionsAbsorbed: number;
  /** Answered 400, 505, 513 ... without the application. */
  malformed: number;
  /** Dropped without an answer: malformed beyond answering, stray responses and ACKs. */
  dropped: number;
  /** Dropped because the source is banned. */
  dropsBanned: number;
  /** Dropped because the source sent more than its share while there was more to do than time. */
  dropsFlood: number;
  /** Answered 503: because a table is full, a source has more than its share, all is late, or memory is short. */
  overloaded: number;
  overloadedFull: number;
  overloadedShare: number;
  overloadedLate: number;
  overloadedMemory: number;
  /** New calls of ours that were not sent because the peer is overloaded. */
  callsShed: number;
  /** Answered 503 because no application takes the method. */
  unrouted: number;
  /** Refreshes of session timers that we sent, and calls that were ended because nobody refreshed them. */
  sessionRefreshes: number;
  sessionsExpired: number;
  transportErrors: number;
  /** Answers that could not be sent. */
  answersUnsent: number;
  connectionsRefused: number;
  /** Connections cut: idle, slow, unreadable, not reading, or for a newcomer when all places are taken. */
  connectionsCut: number;
  /** TLS handshakes that came to nothing, ours and those of others. */
  handshakesFailed: number;
  /** Client certificates that none of our CAs vouches for, or that have expired. */
  certificatesInvalid: number;
  /** INVITEs that the application never answered. */
  invitesUnanswered: number;
  /** 2xx answers that no ACK came for. */
  acksMissing: number;
  /** Questions to the DNS, and those that nobody could answer. */
  dnsQueries: number;
  dnsFailures: number;
  /** Reliable provisional answers that no PRACK came for. */
  pracksMissing: number;
  /** Calls whose messages went from the trace before their time, for want of room. */
  tracesDropped: number;
  /** Copies of messages that went to the Homer server, and that could not. */
  hepSent: number;
  hepDropped: number;
  /** Errors of the engine itself; each cost one message, frame or timer. */
  faults: number;
  /** Messages that wait for their turn. */
  queued: number;
  /** Requests outside of dialogs that the application has not answered at all. */
  undecided: number;
  /** ms by which the engine is late, smoothed, and the percentage by which peers should send less (RFC 7339). */
  delayMs: number;
  lossPercent: number;
  connections: number;
  /** Of these, the ones that have brought no whole message yet. */
  newConnections: number;
  serverTransactions: number;
  clientTransactions: number;
  pendingInvites: number;
  /** INVITEs of ours without a final response. */
  outgoingInvites: number;
  dialogs: number;
  /** Requests that go on to others and still wait for something; dialogs that run through us. */
  proxiedRequests: number;
  proxiedDialogs: number;
  applications: number;
  bans: number;
}

export const newStats = (): EngineStats => ({
  datagramsReceived: 0,
  messagesReceived: 0,
  retransmissionsAbsorbed: 0,
  malformed: 0,
  dropped: 0,
  dropsBanned: 0,
  dropsFlood: 0,
  overloaded: 0,
  overloadedFull: 0,
  overloadedShare: 0,
  overloadedLate: 0,
  overloadedMemory: 0,
  callsShed: 0,
  unrouted: 0,
  sessionRefreshes: 0,
  sessionsExpired: 0,
  transportErrors: 0,
  answersUnsent: 0,
  connectionsRefused: 0,
  connectionsCut: 0,
  handshakesFailed: 0,
  certificatesInvalid: 0,
  invitesUnanswered: 0,
  acksMissing: 0,
  dnsQueries: 0,
  dnsFailures: 0,
  pracksMissing: 0,
  tracesDropped: 0,
  hepSent: 0,
  hepDropped: 0,
  faults: 0,
  queued: 0,
  undecided: 0,
  delayMs: 0,
  lossPercent: 0,
  connections: 0,
  newConnections: 0,
  serverTransactions: 0,
  clientTransactions: 0,
  pendingInvites: 0,
  outgoingInvites: 0,
  dialogs: 0,
  proxiedRequests: 0,
  proxiedDialogs: 0,
  applications: 0,
  bans: 0,
});
