import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import { authenticateOperator } from './authenticate.ts';
import type { Guard } from './guard.ts';

export interface SipTraceRoutes {
  adminKey: string | undefined;
  /**
   * The SIP messages of a call as text, by the id of its leg or by its Call-ID; undefined when they are not kept here.
   * @throws ApiError `trace_not_available`
   */
  sipTrace: (id: string) => Promise<string | undefined>;
}

const example = `Call-ID: 3848276298220188511@192.0.2.10
2 messages

  1    +0.000  192.0.2.10:5060 --> 203.0.113.7:5060  udp  INVITE sip:sess_01JQZX3M8T5VY7B2N4K6P9R1WC@sip.kallglot.com (SDP)
  2    +0.001  192.0.2.10:5060 <-- 203.0.113.7:5060  udp  100 Trying (INVITE)

--- 1  2026-03-01T09:00:02.120Z  192.0.2.10:5060 --> 203.0.113.7:5060  udp
INVITE sip:sess_01JQZX3M8T5VY7B2N4K6P9R1WC@sip.kallglot.com SIP/2.0
…
`;

const schema = {
  tags: ['Operator'],
  summary: 'The last SIP messages of a call',
  params: z.object({
    id: z.string().min(1).max(1000).describe('A leg, `leg_…`, or a SIP Call-ID, percent-encoded'),
  }),
  response: {
    200: {
      description: 'A line for each message, then the messages, without secrets',
      content: { 'text/plain': { schema: z.string().meta({ examples: [example] }) } },
    },
  },
};

/** `GET /v1/admin/calls/{id}/sip`: what went over the wire, for the operator. */
export function sipTraceRoutes(
  app: FastifyInstance,
  guard: Guard,
  { adminKey, sipTrace }: SipTraceRoutes,
): void {
  app.addHook('onRequest', (request, reply) =>
    guard.identify(request, reply, () => authenticateOperator(request, adminKey)),
  );
  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/v1/admin/calls/:id/sip', { schema }, async ({ params }, reply) => {
      const trace = await sipTrace(params.id);
      if (trace === undefined) throw new ApiError('call_not_found');
      return reply.type('text/plain; charset=utf-8').header('X-Content-Type-Options', 'nosniff').send(trace);
    });
}
