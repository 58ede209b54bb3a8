import { conversationQuality } from '../media/conversation-quality.ts';
import type { MediaStats } from '../media/media-port.ts';
import { type Check, failed, notSeen, ok, warning } from './check.ts';
import { type CallSeen, type MediaSeen, shown } from './seen.ts';

/** What the audio of a self-test's call tells. Pure functions. */

/** Codecs of 64 kbit/s: so many bytes are a ms. */
const BYTES_PER_MS = 8;
/** Packets that are shorter on average are keys, comfort noise and keep-alives, not speech. */
const SPEECH_BYTES = 5 * BYTES_PER_MS;
/** Of the packets that we send. */
const REFUSED_SHARE = 0.1;
const NETWORK =
  'Look for a busy line or Wi-Fi between the PBX and the internet, and give RTP priority there (DSCP EF).';

export function mediaChecks(seen: CallSeen): Check[] {
  const { media, stats } = seen;
  if (media === null || stats === undefined) return [];
  const heard = stats.packetsReceived > 0;
  return [
    audioIn(seen, media, stats),
    ...(heard ? [audioSource(media, stats)] : []),
    audioOut(seen, stats),
    codec(media),
    ...(heard && speaks(media, stats) ? [packetTime(media, stats)] : []),
    keys(seen, media),
    hold(seen),
    ...(heard ? quality(media, stats) : []),
  ];
}

function audioIn({ ownMedia, invite }: CallSeen, media: MediaSeen, stats: MediaStats): Check {
  const { packetsReceived, packetsDroppedBySource, packetsDroppedUnauthentic, packetsDroppedInvalid } = stats;
  if (packetsReceived > 0 && !speaks(media, stats))
    return notSeen(
      'audio_in',
      `${packetsReceived} packets came from the PBX, but hardly any speech: keys, comfort noise or keep-alives`,
      'Speak in the call.',
    );
  if (packetsReceived > 0) return ok('audio_in', `${packetsReceived} packets came from the PBX`);
  const written = shown(media.remoteAddress, media.remotePort);
  if (packetsDroppedUnauthentic > 0)
    return failed(
      'audio_in',
      `${packetsDroppedUnauthentic} packets came that do not fit the SRTP key of the SDP`,
      'See that nothing between the PBX and this gateway changes a=crypto, and that the PBX encrypts with the key that it sends.',
    );
  if (packetsDroppedBySource > 0)
    return failed(
      'audio_in',
      `${packetsDroppedBySource} packets came from an address that is neither that of the SDP (${written}) nor that of the SIP (${invite.sourceAddress})`,
      'Tell the PBX the public address of its audio (Asterisk: external_media_address; FreeSWITCH: ext-rtp-ip).',
    );
  if (packetsDroppedInvalid > 0)
    return failed(
      'audio_in',
      `${packetsDroppedInvalid} packets came that were no RTP of the agreed payload types`,
      'See that the PBX sends the codec that was agreed, and plain RTP unless SRTP was agreed.',
    );
  return failed(
    'audio_in',
    'No audio came from the PBX',
    `Let UDP from the PBX to ${ownMedia ?? 'the RTP ports of this gateway'} through all firewalls, and see that the PBX sends audio there.`,
  );
}

/** Packets of Opus may be as short as those of keys. */
const speaks = ({ codec }: MediaSeen, { bytesReceived, packetsReceived }: MediaStats): boolean =>
  codec === 'opus' || bytesReceived >= packetsReceived * SPEECH_BYTES;

/** NAT of the audio. */
function audioSource(media: MediaSeen, { source }: MediaStats): Check {
  const written = shown(media.remoteAddress, media.remotePort);
  if (source === written) return ok('audio_nat', `Audio comes from ${source}, as the SDP says`);
  if (source === '') return notSeen('audio_nat', 'Where audio comes from is not known yet', 'Call again.');
  return warning(
    'audio_nat',
    `The SDP names ${written}, but audio comes from ${source}: there is a NAT in between`,
    'Tell the PBX the public address of its audio (Asterisk: external_media_address and local_net; FreeSWITCH: ext-rtp-ip). We send where its audio comes from, so that nothing is heard of us before its first packet.',
  );
}

function audioOut({ acknowledged }: CallSeen, stats: MediaStats): Check {
  // Some are refused by every peer that hangs up.
  if (stats.socketErrors > stats.packetsSent * REFUSED_SHARE)
    return failed(
      'audio_out',
      `The other end refused ${stats.socketErrors} of our packets`,
      'Nothing listens at the address and port of the SDP, or a firewall rejects UDP there.',
    );
  if (stats.packetsSent === 0)
    return acknowledged
      ? notSeen('audio_out', 'Nothing was sent to the PBX', 'Call without hold, and take the call back.')
      : notSeen('audio_out', 'Nothing was sent: the answer was not acknowledged', 'See ack.');
  if (stats.rtcpReceived === 0)
    return notSeen(
      'audio_out',
      `${stats.packetsSent} packets went to the PBX, which sends no reports (RTCP) of how they come`,
      'If you did not hear yourself, let UDP from this gateway to the PBX through all firewalls. Optional: switch RTCP on (FreeSWITCH: rtcp-audio-interval-msec).',
    );
  const share = stats.peerPacketsLost / Math.max(1, stats.packetsSent);
  const seen = `${stats.packetsSent} packets went to the PBX, which lost ${stats.peerPacketsLost} of them (${percent(share)})`;
  return byLoss('audio_out', share, seen);
}

function codec({ codec, srtp }: MediaSeen): Check {
  return ok('codec', srtp === null ? codec : `${codec}, encrypted (${srtp})`);
}

function packetTime({ codec, ptimeMs }: MediaSeen, stats: MediaStats): Check {
  const sent = `we send ${ptimeMs} ms a packet`;
  if (codec === 'opus') return ok('ptime', `With opus packets may be of any length; ${sent}`);
  const average = stats.bytesReceived / stats.packetsReceived / BYTES_PER_MS;
  const received = Math.max(10, Math.round(average / 10) * 10);
  const seen = `The PBX sends ${received} ms of audio a packet; ${sent}`;
  if (received === 20) return ok('ptime', seen);
  const advice =
    received < 20
      ? 'Set the packet time to 20 ms (ptime): shorter packets cost twice the network and CPU for nothing.'
      : 'Set the packet time to 20 ms (ptime): with longer packets every loss is heard, and speech comes later.';
  return warning('ptime', seen, advice);
}

function keys({ keys: { rtp, info } }: CallSeen, { telephoneEvents }: MediaSeen): Check {
  const ways = [rtp > 0 && `${rtp} by RTP (RFC 4733)`, info > 0 && `${info} by SIP INFO`].filter(Boolean);
  if (ways.length > 0) return ok('dtmf', `Keys were pressed: ${ways.join(', ')}`);
  if (telephoneEvents.length > 0)
    return notSeen(
      'dtmf',
      'telephone-event is agreed, but no key was pressed',
      'Press some keys in the call.',
    );
  return warning(
    'dtmf',
    'No key was pressed, and the PBX does not offer telephone-event',
    'Switch it on (Asterisk: dtmf_mode=rfc4733; FreeSWITCH: dtmf-type rfc2833), or have keys sent by SIP INFO.',
  );
}

function hold({ holds, resumes }: CallSeen): Check {
  if (holds === 0) return notSeen('hold', 'The call was not put on hold', 'Put it on hold and take it back.');
  const times = (count: number) => (count === 1 ? 'once' : `${count} times`);
  if (resumes === holds) return ok('hold', `Put on hold ${times(holds)}, and taken back`);
  return warning(
    'hold',
    `Put on hold ${times(holds)}, and taken back ${resumes === 0 ? 'not at all' : times(resumes)}`,
    'If you did take it back, the PBX does not say so: it has to send a re-INVITE with a=sendrecv.',
  );
}

function quality(media: MediaSeen, stats: MediaStats): Check[] {
  const { mos, round_trip_ms: roundTrip } = conversationQuality(media.codec, stats);
  const expected = stats.packetsReceived + stats.packetsLost;
  const lost = (stats.packetsLost + stats.packetsLate) / Math.max(1, expected);
  const jitter = Math.round(stats.jitterMs * 10) / 10;
  const loss = `${stats.packetsLost} of ${expected} packets from the PBX were lost, ${stats.packetsLate} came too late (${percent(lost)})`;
  return [
    byLoss('loss', lost, loss),
    graded('jitter', jitter, [30, 100], `Packets vary by ${jitter} ms`),
    graded('mos', -(mos ?? 0), [-4, -3.1], `The PBX sounds like ${mos?.toFixed(1)} of 4.4 (MOS)`),
    roundTrip === null
      ? notSeen(
          'round_trip',
          'The PBX sends no reports (RTCP) that tell the delay',
          'Optional: switch RTCP on.',
        )
      : graded('round_trip', roundTrip, [300, 600], `A packet needs ${roundTrip} ms there and back`),
  ];
}

const byLoss = (name: string, share: number, seen: string) => graded(name, share, [0.01, 0.05], seen);

/** @param limits above the first it is a warning, above the second a failure */
function graded(name: string, value: number, [warn, fail]: readonly [number, number], seen: string): Check {
  if (value <= warn) return ok(name, seen);
  return value <= fail ? warning(name, seen, NETWORK) : failed(name, seen, NETWORK);
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
