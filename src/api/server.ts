import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { ApiError } from '../errors.ts';
import { newRequestId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ApiCaller } from '../telephony/api-keys.ts';
import { authenticate } from './authenticate.ts';
import { errorHandler, sendError } from './envelope.ts';
import { type OperatorRoutes, operatorRoutes } from './operator-routes.ts';
import { type SessionRoutes, sessionRoutes } from './session-routes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route of `/v1` runs. */
    caller: ApiCaller;
  }
}

export interface ApiOptions extends SessionRoutes, OperatorRoutes {
  log: Log;
  metrics: Metrics;
  findCaller: (key: string) => Promise<ApiCaller | undefined>;
}

const BODY_MOST_BYTES = 65_536;

/** The REST API, not yet listening; tests ask it with `app.inject()`. */
export function createApi(options: ApiOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_MOST_BYTES,
    requestTimeout: 30_000,
    genReqId: newRequestId,
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => {
      reply.header('X-Request-ID', request.id);
      const code = error.code === 'FST_ERR_BAD_URL' ? 'not_found' : 'malformed_body';
      sendError(request, reply, new ApiError(code));
    },
    clientErrorHandler: (_error, socket) => {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    },
    routerOptions: { maxParamLength: 200 },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(errorHandler(options.log));
  app.setNotFoundHandler((request, reply) => sendError(request, reply, new ApiError('not_found')));
  acceptEmptyJson(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-ID', request.id);
  });
  app.addHook('onResponse', async (_request, reply) => {
    options.metrics.http_requests_total.inc({ status: String(reply.statusCode) });
  });
  operatorRoutes(app, options);
  app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request) => {
      request.caller = await authenticate(request, options.findCaller);
    });
    sessionRoutes(scope, options);
    done();
  });
  return app;
}

/** `POST …/end` has no body, but many clients name a content type all the same. */
function acceptEmptyJson(app: FastifyInstance): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') return done(null, undefined);
    try {
      done(null, JSON.parse(body as string));
    } catch (error) {
      const words = (error as Error).message;
      done(new ApiError('malformed_body', { message: `The body is not valid JSON: ${words}` }));
    }
  });
}
