import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { parseSessionId } from '../ids.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Transcripts } from '../sessions/transcripts.ts';
import { transcriptAnswer } from './session-answers.ts';
import { sessionParams } from './session-schemas.ts';

export interface TranscriptRoutes {
  sessions: Sessions;
  transcripts: Pick<Transcripts, 'read'>;
}

const options = {
  config: { scope: 'sessions:read' },
  schema: {
    tags: ['Transcripts'],
    summary: 'Get what was said in a session so far, or as a whole once it has ended',
    params: sessionParams,
    response: { 200: transcriptAnswer },
  },
} as const;

/** `GET /v1/sessions/{id}/transcript` (contract §5.7). */
export function transcriptRoutes(app: FastifyInstance, { sessions, transcripts }: TranscriptRoutes): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.get('/v1/sessions/:id/transcript', options, async ({ params, caller }, reply) => {
    const session = await sessions.ofOrganization(parseSessionId(params.id), caller.organizationId);
    return sendAsItIs(reply, await transcripts.read(session));
  });
}

/** Without the serializer's look at every field, which takes longer than all else where there are thousands of turns. */
const sendAsItIs = (reply: FastifyReply, transcript: z.input<typeof transcriptAnswer>) =>
  reply.type('application/json; charset=utf-8').send(JSON.stringify(transcript));
