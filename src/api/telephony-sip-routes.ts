import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type PbxTransport, pbxConfigurations } from '../telephony/pbx-configuration.ts';
import type { NewCredentials, OrganizationRow, SipSettings } from '../telephony/sip-settings.ts';
import {
  type AllowedAddress,
  readAllowedIps,
  readCodecs,
  readDefaults,
  readTlsCertificates,
} from '../telephony/trunks.ts';
import {
  allowedIp,
  allowIpBody,
  byCidr,
  changeSipBody,
  list,
  listOf,
  pbxConfiguration,
  sipSettings,
  sipSettingsWithPassword,
} from './telephony-schemas.ts';

export interface SipAddress {
  /** Of the session URIs. */
  domain: string;
  /** Of digest authentication. */
  realm: string;
  /** `HOST:PORT` at which PBXs reach the gateway over UDP and over TLS, as it is now; undefined where it is not. */
  gateway: (transport: PbxTransport) => string | undefined;
}

const url = '/v1/telephony/sip';
const read = { scope: 'telephony:read' } as const;
const write = { scope: 'telephony:write' } as const;
const tags = ['Telephony: SIP'];

/** `/v1/telephony/sip`: the organization's trunk. Changes count for the next INVITE. */
export function telephonySipRoutes(app: FastifyInstance, settings: SipSettings, address: SipAddress): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const view = (row: OrganizationRow) => sipView(row, address.domain);
  const withPassword = ({ row, password }: NewCredentials) => ({ ...view(row), password });

  const shown = { tags, summary: 'Get the SIP settings', response: { 200: sipSettings } };
  typed.get(url, { config: read, schema: shown }, async ({ caller }) =>
    view(await settings.find(caller.organizationId)),
  );

  const changing = {
    tags,
    summary: 'Change the SIP settings',
    body: changeSipBody,
    response: { 200: sipSettings },
  };
  typed.patch(url, { config: write, schema: changing }, async ({ body, caller }) =>
    view(await settings.update(caller.organizationId, body)),
  );

  const revealing = (summary: string) => ({ tags, summary, response: { 200: sipSettingsWithPassword } });
  const enabling = revealing('Enable SIP; the first time with a password, shown this once');
  const regenerating = revealing('Make a new password, shown this once');
  typed.post(`${url}/enable`, { config: write, schema: enabling }, async ({ caller }) =>
    withPassword(await settings.enable(caller.organizationId)),
  );
  typed.post(`${url}/credentials`, { config: write, schema: regenerating }, async ({ caller }) =>
    withPassword(await settings.regenerate(caller.organizationId)),
  );

  const configured = {
    tags,
    summary: 'Get ready configurations for PBXs',
    response: { 200: listOf(pbxConfiguration) },
  };
  typed.get(`${url}/configuration`, { config: read, schema: configured }, async ({ caller }) => {
    const row = await settings.find(caller.organizationId);
    const trunk = { ...address, username: row.sip_username, srtp: row.sip_srtp };
    const transports = row.sip_tls_required === 1 ? (['tls'] as const) : (['udp', 'tls'] as const);
    const texts = transports.flatMap((transport) => {
      const gateway = address.gateway(transport);
      return gateway === undefined ? [] : pbxConfigurations({ ...trunk, transport, gateway });
    });
    return list(
      `${url}/configuration`,
      texts.map((text) => ({ object: 'pbx_configuration' as const, ...text })),
    );
  });

  allowlistRoutes(app, settings);
}

function allowlistRoutes(app: FastifyInstance, settings: SipSettings): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();
  const path = `${url}/allowed-ips`;

  const listing = { tags, summary: 'List the allowed addresses', response: { 200: listOf(allowedIp) } };
  typed.get(path, { config: read, schema: listing }, async ({ caller }) =>
    list(path, readAllowedIps(await settings.find(caller.organizationId)).map(allowedView)),
  );

  const allowing = {
    tags,
    summary: 'Allow an address or a network',
    body: allowIpBody,
    response: { 201: allowedIp },
  };
  typed.post(path, { config: write, schema: allowing }, async ({ body, caller }, reply) => {
    const wanted = {
      cidr: body.cidr,
      note: body.note ?? null,
      confirmed: body.confirm === 'allow_everyone',
    };
    return reply.status(201).send(allowedView(await settings.allow(caller.organizationId, wanted)));
  });

  const removed = z.object({ object: z.literal('allowed_ip'), cidr: z.string(), deleted: z.literal(true) });
  const removing = {
    tags,
    summary: 'Take an address or a network off the list',
    querystring: byCidr,
    response: { 200: removed },
  };
  typed.delete(path, { config: write, schema: removing }, async ({ query: { cidr }, caller }) => {
    await settings.disallow(caller.organizationId, cidr);
    return { object: 'allowed_ip' as const, cidr, deleted: true as const };
  });
}

const allowedView = ({ cidr, note }: AllowedAddress) => ({ object: 'allowed_ip' as const, cidr, note });

function sipView(row: OrganizationRow, domain: string) {
  const defaults = readDefaults(row.sip_session_defaults);
  return {
    object: 'sip_settings' as const,
    managed_by: row.managed_by,
    enabled: row.sip_enabled === 1,
    username: row.sip_username,
    domain,
    allowed_ips: readAllowedIps(row).map(allowedView),
    require_digest: row.sip_require_digest === 1,
    concurrency_limit: row.sip_concurrency_limit,
    media_timeout_seconds: row.sip_media_timeout_seconds,
    codecs: readCodecs(row),
    inbound_first: row.sip_inbound_first === 1,
    session_defaults: defaults && {
      mode: defaults.mode ?? ('bidirectional_translation' as const),
      source_language: defaults.source_language ?? null,
      target_language: defaults.target_language ?? null,
      mix_original_db: defaults.mix_original_db ?? null,
      metadata: defaults.metadata ?? null,
    },
    tls_required: row.sip_tls_required === 1,
    tls_certificates: readTlsCertificates(row),
    srtp: row.sip_srtp,
  };
}
