import { expect, test } from 'vitest';
import { conversationQuality } from '../../src/media/conversation-quality.ts';
import { noStats } from '../support/fake-rooms.ts';

test('times are told to the hundredth of a ms, the round trip to the tenth', () => {
  const measured = {
    packetsReceived: 50,
    jitterMs: 11.704339222491122,
    peerJitterMs: 7.8765,
    roundTripMs: 15.43,
  };
  expect(conversationQuality('PCMU', { ...noStats, ...measured })).toMatchObject({
    jitter_ms: 11.7,
    peer_jitter_ms: 7.88,
    round_trip_ms: 15.4,
  });
});
