import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import fastify, {
  type FastifyInstance,
  type FastifyPluginCallback,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { ApiError } from '../errors.ts';
import { newRequestId } from '../ids.ts';
import type { Claim, IdempotencyKeys } from '../sessions/idempotency-keys.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ApiCaller, Scope } from '../telephony/api-keys.ts';
import { type BanRoutes, banRoutes } from './ban-routes.ts';
import { boundConnections } from './bound-connections.ts';
import { type CallRoutes, callRoutes } from './call-routes.ts';
import { type CarrierRoutes, carrierRoutes } from './carrier-routes.ts';
import { type DialRoutes, dialRoutes } from './dial-routes.ts';
import { dtmfRoutes } from './dtmf-routes.ts';
import { errorHandler, sendError } from './envelope.ts';
import { Guard, type GuardOptions } from './guard.ts';
import { idempotentRoutes } from './idempotency.ts';
import { acceptJson } from './json-body.ts';
import { describeApi } from './openapi.ts';
import { type OperatorRoutes, operatorRoutes } from './operator-routes.ts';
import { type OrganizationRoutes, organizationAdminRoutes } from './organization-routes.ts';
import { type RegistrationRoutes, registrationRoutes } from './registration-routes.ts';
import { type SelfTestRoutes, selfTestRoutes } from './self-test-routes.ts';
import { type SessionRoutes, sessionRoutes } from './session-routes.ts';
import { type SipTraceRoutes, sipTraceRoutes } from './sip-trace-routes.ts';
import { type TelephonyRoutes, telephonyRoutes } from './telephony-routes.ts';
import { type TranscriptRoutes, transcriptRoutes } from './transcript-routes.ts';
import { type WebhookRoutes, webhookRoutes } from './webhook-routes.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route of `/v1` runs. */
    caller: ApiCaller;
    /** Set while a request with an `Idempotency-Key` is worked on. */
    claim?: Claim;
  }
  interface FastifyContextConfig {
    /** What the caller's key must be good for; every route of an organization names it. */
    scope?: Scope;
    /** Takes an `Idempotency-Key`. */
    idempotent?: boolean;
    /** How long a request may take, where that is longer than usual; its key is held for so long. */
    answersWithinMs?: number;
    /** Counts against `api.rate_limit.session_creates_per_minute` too. */
    createsSession?: boolean;
  }
}

export interface ApiOptions
  extends SessionRoutes,
    CallRoutes,
    TranscriptRoutes,
    DialRoutes,
    TelephonyRoutes,
    WebhookRoutes,
    GuardOptions,
    OrganizationRoutes,
    SipTraceRoutes,
    BanRoutes,
    RegistrationRoutes,
    CarrierRoutes,
    SelfTestRoutes,
    Omit<OperatorRoutes, 'guard'> {
  log: Log;
  metrics: Metrics;
  idempotencyKeys: IdempotencyKeys;
  /** Takes the requests for a WebSocket. */
  upgrades: {
    /** Whether a request is one; every other is answered as if it asked for none. */
    isOurs: (request: IncomingMessage) => boolean;
    take: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  };
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
    routerOptions: { maxParamLength: 1000 },
    http: { shouldUpgradeCallback: options.upgrades.isOurs },
  });
  boundConnections(app.server, () => options.metrics.http_connections_cut_total.inc());
  app.server.on('upgrade', options.upgrades.take);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(errorHandler(options.log));
  app.setNotFoundHandler(notFound);
  acceptJson(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-ID', request.id);
  });
  app.addHook('onResponse', async (_request, reply) => {
    options.metrics.http_requests_total.inc({ status: String(reply.statusCode) });
    options.metrics.http_request_seconds.observe(reply.elapsedTime / 1000);
  });
  const guard = new Guard(options);
  describeApi(app);
  app.register(within((scope) => operatorRoutes(scope, { ...options, guard })));
  app.register(within((scope) => organizationAdminRoutes(scope, guard, options)));
  app.register(within((scope) => banRoutes(scope, guard, options)));
  app.register(within((scope) => registrationRoutes(scope, guard, options)));
  app.register(within((scope) => sipTraceRoutes(scope, guard, options)));
  app.register(within((scope) => carrierRoutes(scope, guard, options)));
  app.register(within((scope) => organizationRoutes(scope, guard, options)));
  app.register(
    within((scope) => guardUnknown(scope, guard)),
    { prefix: '/v1' },
  );
  return app;
}

/** A plugin: its hooks count for its own routes only, and what it throws stops the start. */
const within =
  (add: (scope: FastifyInstance) => void): FastifyPluginCallback =>
  (scope, _options, done) => {
    try {
      add(scope);
      done();
    } catch (error) {
      done(error as Error);
    }
  };

/** What an organization asks with its key. */
function organizationRoutes(scope: FastifyInstance, guard: Guard, options: ApiOptions): void {
  scope.addHook('onRequest', (request, reply) => guard.pass(request, reply));
  idempotentRoutes(scope, options.idempotencyKeys);
  sessionRoutes(scope, options);
  callRoutes(scope, options);
  transcriptRoutes(scope, options);
  dialRoutes(scope, options);
  dtmfRoutes(scope, options);
  telephonyRoutes(scope, options);
  selfTestRoutes(scope, options);
  webhookRoutes(scope, options);
}

/** An address under `/v1` that does not exist is told only to those who may ask. */
function guardUnknown(scope: FastifyInstance, guard: Guard): void {
  scope.addHook('onRequest', (request, reply) => guard.pass(request, reply));
  scope.setNotFoundHandler(notFound);
}

const notFound = (request: FastifyRequest, reply: FastifyReply) =>
  sendError(request, reply, new ApiError('not_found'));
