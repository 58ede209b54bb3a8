import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { OutboundTrunkRow, OutboundTrunks } from '../telephony/outbound-trunks.ts';
import { outboundBody, outboundDeleted, outboundSettings } from './telephony-outbound-schemas.ts';

const url = '/v1/telephony/sip/outbound';
const read = { scope: 'telephony:read' } as const;
const write = { scope: 'telephony:write' } as const;
const tags = ['Telephony: SIP'];

/** `/v1/telephony/sip/outbound`: where the organization may call. Changes count for the next dial on every node. */
export function telephonyOutboundRoutes(app: FastifyInstance, trunks: OutboundTrunks): void {
  const typed = app.withTypeProvider<ZodTypeProvider>();

  const shown = { tags, summary: 'Get the outbound settings', response: { 200: outboundSettings } };
  typed.get(url, { config: read, schema: shown }, async ({ caller }) => {
    const { row, managedBy } = await trunks.find(caller.organizationId);
    return outboundView(row, managedBy);
  });

  const replacing = {
    tags,
    summary: 'Replace the outbound settings: the trunk for numbers, and what may be called',
    body: outboundBody,
    response: { 200: outboundSettings },
  };
  typed.put(url, { config: write, schema: replacing }, async ({ body, caller }) => {
    const { host, port, username, caller_id, ...rest } = body;
    const wanted = {
      ...rest,
      host: host ?? undefined,
      port: port ?? undefined,
      username: username ?? undefined,
      caller_id: caller_id ?? undefined,
    };
    return outboundView(await trunks.replace(caller.organizationId, wanted), 'api');
  });

  const deleting = {
    tags,
    summary: 'Delete the outbound settings: nothing may be called any more',
    response: { 200: outboundDeleted },
  };
  typed.delete(url, { config: write, schema: deleting }, async ({ caller }) => {
    await trunks.remove(caller.organizationId);
    return { object: 'sip_outbound' as const, deleted: true as const };
  });
}

const outboundView = (row: OutboundTrunkRow, managedBy: 'api' | 'config') => ({
  object: 'sip_outbound' as const,
  managed_by: managedBy,
  enabled: row.enabled === 1,
  host: row.host,
  port: row.port,
  transport: row.transport,
  username: row.username,
  password_set: row.password !== null,
  caller_id: row.caller_id,
  allowed_numbers: JSON.parse(row.allowed_numbers) as string[],
  allowed_domains: JSON.parse(row.allowed_domains) as string[],
});
