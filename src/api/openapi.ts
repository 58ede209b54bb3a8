import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Scope } from '../telephony/api-keys.ts';

/** Every refusal (contract §9). */
const errorAnswer = z
  .object({
    error: z.object({
      type: z.string(),
      code: z.string(),
      message: z.string(),
      param: z.string().optional(),
      request_id: z.string(),
      retry_after: z.number().optional(),
      leg_id: z.string().optional().describe('Of a dial that failed'),
      reason: z.string().optional().describe('Of a dial that failed: why its leg ended'),
      sip_status: z.number().nullable().optional().describe('Of a dial that failed; null: none came'),
    }),
  })
  .describe('A refusal: branch on the HTTP status and error.code')
  .meta({
    examples: [
      {
        error: {
          type: 'validation_error',
          code: 'invalid_request',
          message:
            'mode: must be one of bidirectional_translation, assistive_translation, ai_agent or help_chat_voice',
          param: 'mode',
          request_id: 'req_01JQZX3M8T5VY7B2N4K6P9R1WC',
        },
      },
    ],
  });

const idempotencyKey = z.object({
  'Idempotency-Key': z
    .string()
    .max(255)
    .optional()
    .describe('Makes a retry safe: for 24 h the same key gets the first answer again'),
});

/** The description of the whole API at `/openapi.json`, made from the schemas that the routes check with. */
export function describeApi(app: FastifyInstance): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Kallglot SIP gateway',
        version: 'v1',
        description: 'Sessions, telephony settings and webhooks.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An API key, sk_live_… or sk_test_…' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
    },
    transform: (route) => {
      const { scope, idempotent } = route.route.config ?? {};
      const operator = route.url.startsWith('/v1/admin/');
      const schema = scope
        ? ofOrganization(route.schema, scope, idempotent)
        : operator
          ? ofOperator(route.schema)
          : route.schema;
      return jsonSchemaTransform({ ...route, schema } as Parameters<typeof jsonSchemaTransform>[0]);
    },
  });
  app.register((own, _options, done) => {
    own.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    done();
  });
}

/** What all routes of an organization have in common. */
function ofOrganization(schema: FastifySchema = {}, scope: Scope, idempotent = false): FastifySchema {
  return {
    ...schema,
    ...(idempotent && { headers: idempotencyKey }),
    description: [schema.description, `Scope: \`${scope}\`.`].filter(Boolean).join(' '),
    security: [{ bearer: [] }, { apiKey: [] }],
    response: { ...(schema.response as object), '4XX': errorAnswer, '5XX': errorAnswer },
  };
}

/** What only the operator may ask. */
const ofOperator = (schema: FastifySchema = {}): FastifySchema => ({
  ...schema,
  description: 'With `api.admin_key`; where none is set, from the gateway’s own machine.',
  security: [{ bearer: [] }],
  response: { ...(schema.response as object), '4XX': errorAnswer, '5XX': errorAnswer },
});
