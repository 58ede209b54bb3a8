import { z } from 'zod';
import { providers } from '../providers.ts';
import { type SessionMode, sessionModes } from '../roles.ts';
import { pageOf } from './paging.ts';

/** What is answered about a session, its calls and its transcript (contract §5.3 to §5.7, decisions §7), with examples. */

const id = 'sess_01JQZX3M8T5VY7B2N4K6P9R1WC';
const time = z.string().meta({ format: 'date-time' });
const freeObject = z.record(z.string(), z.unknown());

const callExample = {
  id: 'leg_01JQZX4A1B2C3D4E5F6G7H8J9K',
  object: 'call',
  session_id: id,
  status: 'ended',
  role: 'customer',
  provider: 'sip',
  direction: 'inbound',
  progress: null,
  sip_status: null,
  sip_call_id: '7d1c5a2e@192.0.2.10',
  carrier_call_id: null,
  from: 'sip:alice@example.com',
  to: `sip:${id}@sip.kallglot.com`,
  source_address: '192.0.2.10',
  transport: 'udp',
  user_agent: 'Asterisk PBX 22.4.1',
  codec: 'PCMU',
  srtp: 'AES_CM_128_HMAC_SHA1_80',
  started_at: '2026-03-01T09:00:02.000Z',
  ringing_at: null,
  answered_at: '2026-03-01T09:00:02.140Z',
  acknowledged_at: '2026-03-01T09:00:02.171Z',
  first_audio_in_at: '2026-03-01T09:00:02.185Z',
  first_audio_out_at: '2026-03-01T09:00:02.173Z',
  ended_at: '2026-03-01T09:04:07.440Z',
  reason: 'hangup',
  cause: 16,
  setup_ms: 140,
  duration_seconds: 245.3,
  hold: { count: 1, seconds: 20.5 },
  dtmf: { received: 4, sent: 0 },
  quality: {
    packets_received: 12_261,
    packets_sent: 12_265,
    packets_lost: 4,
    packets_late: 0,
    packets_dropped: 0,
    jitter_ms: 1.7,
    concealed_ms: 80,
    rtp_source: '192.0.2.10:11000',
    round_trip_ms: 24.6,
    peer_packets_lost: 2,
    peer_jitter_ms: 3.1,
    mos: 4.4,
    jitter_target_ms: 40,
    to_pipeline_ms: { p50: 1.68, p95: 3.36, p99: 4 },
    from_pipeline_ms: { p50: 11.31, p95: 19.03, p99: 20.75 },
  },
  link: {
    reconnects: 1,
    resent_ms: 1200,
    lost_ms: 0,
    dropped_ms: 0,
    trimmed_ms: 340,
    untranslated_seconds: 1.9,
  },
};

const sessionExample = {
  id,
  object: 'session',
  status: 'created',
  mode: 'bidirectional_translation',
  provider: 'sip',
  phone_number: null,
  sip: { uri: `sip:${id}@sip.kallglot.com` },
  source_language: 'en',
  target_language: 'pt-BR',
  routing: { type: 'sip', sip: { from_uri: 'sip:alice@example.com', headers: { 'X-Queue': '7' } } },
  stream: {
    url: `wss://api.kallglot.com/v1/sessions/${id}/connect`,
    token: 'kst_live_…',
    expires_at: '2026-03-01T09:05:00.000Z',
  },
  recording: { enabled: false },
  ai_agent: null,
  metadata: null,
  created_at: '2026-03-01T09:00:00.000Z',
  started_at: null,
  ended_at: null,
};

export const sessionAnswer = z
  .object({
    id: z.string(),
    object: z.literal('session'),
    status: z.enum(['created', 'active', 'ended']),
    mode: z.enum(sessionModes as [SessionMode, ...SessionMode[]]),
    provider: z.enum(providers),
    phone_number: z.string().nullable(),
    sip: z.object({ uri: z.string() }).optional().describe('Where the PBX calls; only when routed to SIP'),
    source_language: z.string().nullable(),
    target_language: z.string().nullable(),
    translation: z
      .enum(['active', 'degraded'])
      .optional()
      .describe('While a call is up; degraded: the pipeline has been missing for more than a second'),
    mix_original_db: z.number().optional().describe('Where the session was made with it'),
    routing: freeObject.nullable(),
    stream: z
      .object({ url: z.string(), token: z.string(), expires_at: time })
      .optional()
      .describe('Absent once the session has ended; the token is good for 5 minutes'),
    recording: z.object({ enabled: z.boolean() }),
    ai_agent: freeObject.nullable(),
    metadata: freeObject.nullable(),
    created_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
  })
  .meta({ examples: [sessionExample] });

export const summaryAnswer = z
  .object({
    id: z.string(),
    object: z.literal('session'),
    status: z.literal('ended'),
    duration_seconds: z.number(),
    ended_at: time,
  })
  .meta({
    examples: [
      {
        id,
        object: 'session',
        status: 'ended',
        duration_seconds: 245.3,
        ended_at: '2026-03-01T09:04:07.440Z',
      },
    ],
  });

const latency = z
  .object({ p50: z.number(), p95: z.number().nullable(), p99: z.number().nullable() })
  .nullable();

const call = z.object({
  id: z.string(),
  object: z.literal('call'),
  session_id: z.string(),
  status: z.enum(['setting_up', 'up', 'ended']),
  role: z.enum(['customer', 'agent']),
  provider: z.enum(providers).describe('What carries the leg; webrtc is a streaming client'),
  direction: z.enum(['inbound', 'outbound']),
  progress: z.enum(['dialing', 'ringing']).nullable().describe('Of an outbound leg that is not answered yet'),
  sip_status: z
    .int()
    .nullable()
    .describe('Of an outbound leg: the last status that its INVITE got; 408: it was not answered in time'),
  sip_call_id: z.string().nullable(),
  carrier_call_id: z.string().nullable().describe("Twilio's call SID, Telnyx' call control id"),
  from: z.string(),
  to: z.string(),
  source_address: z.string().describe('Of an outbound leg: where it was answered from, empty before'),
  transport: z.string(),
  user_agent: z.string().nullable().describe('What the other end calls itself'),
  codec: z.string().nullable(),
  srtp: z.string().nullable().describe('The SRTP suite; null for plain RTP'),
  started_at: time,
  ringing_at: time.nullable().describe('The first 180 or 183'),
  answered_at: time.nullable(),
  acknowledged_at: time.nullable().describe('The ACK'),
  first_audio_in_at: time.nullable(),
  first_audio_out_at: time.nullable(),
  ended_at: time.nullable(),
  reason: z.string().nullable().describe('Why the leg ended; null while it is up'),
  cause: z.int().nullable().describe("Q.850: what the peer's BYE says, else what ours did"),
  setup_ms: z.number().nullable(),
  duration_seconds: z.number(),
  hold: z.object({ count: z.number(), seconds: z.number() }).describe('The peer had the call on hold'),
  dtmf: z
    .object({ received: z.number(), sent: z.number() })
    .describe('Keys that the party has pressed, and that were pressed there: how many, never which'),
  quality: z.object({
    packets_received: z.number(),
    packets_sent: z.number(),
    packets_lost: z.number(),
    packets_late: z.number(),
    packets_dropped: z.number(),
    jitter_ms: z.number(),
    concealed_ms: z.number().describe('Speech made up for what did not come in time'),
    rtp_source: z.string().nullable().describe('Where RTP comes from'),
    round_trip_ms: z.number().nullable().describe('By RTCP; null until the peer has reported'),
    peer_packets_lost: z.number(),
    peer_jitter_ms: z.number(),
    mos: z
      .number()
      .nullable()
      .describe('E-model (ITU-T G.107), 1 to 4.5; null before the first packet, and of streams'),
    jitter_target_ms: z.number().describe('How long a missing packet is waited for; not in the latency'),
    to_pipeline_ms: latency.describe("From the arrival of a chunk's last packet to the pipeline"),
    from_pipeline_ms: latency.describe(
      'From the arrival of audio of the pipeline to the next packet of 20 ms',
    ),
  }),
  link: z
    .object({
      reconnects: z.number(),
      resent_ms: z.number(),
      lost_ms: z.number(),
      dropped_ms: z.number(),
      trimmed_ms: z.number(),
      untranslated_seconds: z.number(),
    })
    .describe('Of the link to the pipeline while the leg was up; both legs of a session share one'),
});

const dialedExample = {
  ...callExample,
  ...{ id: 'leg_01JQZX5B2C3D4E5F6G7H8J9KAB', status: 'setting_up', role: 'agent', direction: 'outbound' },
  ...{ progress: 'dialing', sip_call_id: '5d8f2c1e-7a3b-4e6f-9c0d-1b2a3c4d5e6f' },
  ...{ from: 'sip:+14155550100@sip.kallglot.com', to: 'sip:agent@pbx.example.com', source_address: '' },
  ...{ codec: null, answered_at: null, ended_at: null, reason: null, setup_ms: null, duration_seconds: 0 },
  ...{
    user_agent: null,
    acknowledged_at: null,
    first_audio_in_at: null,
    first_audio_out_at: null,
    cause: null,
  },
  hold: { count: 0, seconds: 0 },
  dtmf: { received: 0, sent: 0 },
  quality: {
    ...callExample.quality,
    rtp_source: null,
    concealed_ms: 0,
    packets_received: 0,
    packets_sent: 0,
    packets_lost: 0,
    jitter_ms: 0,
  },
};

export const callAnswer = call.meta({ examples: [dialedExample] });

export const callsAnswer = pageOf(call).meta({
  examples: [{ object: 'list', data: [callExample], has_more: false, url: `/v1/sessions/${id}/calls` }],
});

const transcriptExample = {
  id: 'trn_01JQZX3M8T5VY7B2N4K6P9R1WC',
  object: 'transcript',
  session_id: id,
  status: 'completed',
  turns: [
    {
      ...{ sequence: 1, speaker: 'customer', language: 'en', text: 'Good morning.' },
      translation: { language: 'pt-BR', text: 'Bom dia.' },
      timestamp: '2026-03-01T09:00:05.300Z',
    },
    {
      ...{ sequence: 2, speaker: 'agent', language: 'pt-BR', text: 'Ok.' },
      timestamp: '2026-03-01T09:00:07.800Z',
    },
  ],
  metadata: { total_turns: 2, duration_seconds: 245.3, languages_detected: ['en', 'pt-BR'] },
};

export const transcriptAnswer = z
  .object({
    id: z.string(),
    object: z.literal('transcript'),
    session_id: z.string(),
    status: z.enum(['in_progress', 'completed']),
    turns: z.array(
      z.object({
        sequence: z.int(),
        speaker: z.string().describe('customer or agent, or as the pipeline calls who speaks'),
        language: z.string().nullable().describe('null when neither the pipeline nor the session names it'),
        text: z.string(),
        translation: z
          .object({ language: z.string().nullable(), text: z.string() })
          .optional()
          .describe('Only of a turn that was translated'),
        timestamp: time,
      }),
    ),
    metadata: z.object({
      total_turns: z.int(),
      duration_seconds: z.number(),
      languages_detected: z.array(z.string()),
      dropped_turns: z.int().optional().describe('Turns that are not here, because there were too many'),
    }),
  })
  .meta({ examples: [transcriptExample] });
