import { z } from 'zod';
import { type Problem, repeated } from './problems.ts';
import { addressSchema, allowed, cidrSchema, flag, pemFileSchema, secret } from './values.ts';

/** drachtio-servers: how we reach them (`host`), and how they reach us (`listen`). */

const portWords = 'a port from 1 to 65535';

const listen = z.strictObject({
  address: addressSchema.default('127.0.0.1'),
  port: allowed(z.number().int().min(0).max(65_535), portWords),
  allowed_ips: z.array(cidrSchema).min(1).max(1000).default(['127.0.0.0/8', '::1']),
  certificate: pemFileSchema.optional(),
  key: pemFileSchema.optional(),
});

const server = z.strictObject({
  host: allowed(z.string().regex(/^[A-Za-z0-9._:-]{1,255}$/), 'a host name or an address').optional(),
  port: allowed(z.number().int().min(1).max(65_535), portWords).default(9022),
  // A bar would end it in drachtio's protocol.
  secret: secret(
    allowed(
      z.string().regex(/^[\x21-\x7b\x7d\x7e]{1,200}$/),
      '1 to 200 printable characters without spaces and |',
    ),
  ).default('cymru'),
  tags: z
    .array(allowed(z.string().regex(/^[a-zA-Z0-9_+@:-]{1,32}$/), '1 to 32 letters, digits or - _ + @ :'))
    .max(20)
    .default([]),
  tls: flag(false),
  ca: pemFileSchema.optional(),
  server_name: allowed(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/),
    'a name such as sip1.example.com',
  ).optional(),
  listen: listen.optional(),
});
export type DrachtioConfig = z.infer<typeof server>;

/** One drachtio-server may stand without a list around it. */
export const drachtioSchema = z
  .preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(server).min(1).max(16))
  .prefault([{}]);

/** The address that stands for one that is not named. */
export const LOCAL_SERVER = '127.0.0.1';

/** What has to fit each other. The files themselves are read when they are needed. */
export function drachtioProblems(servers: readonly DrachtioConfig[]): Problem[] {
  const problems: Problem[] = [];
  const path = (index: number, key: string) =>
    `sip.drachtio${servers.length === 1 ? '' : `[${index}]`}.${key}`;
  servers.forEach(({ tls, ca, server_name, listen: own }, index) => {
    if (!tls && (ca ?? server_name) !== undefined)
      problems.push({ path: path(index, 'tls'), found: 'ca or server_name, and no TLS', allowed: 'true' });
    if ((own?.certificate === undefined) !== (own?.key === undefined))
      problems.push({
        path: path(index, 'listen'),
        found: 'one of certificate and key',
        allowed: 'both or neither',
      });
  });
  const seen = new Set<string>();
  servers.forEach(({ host, port, listen: own }, index) => {
    const once = (key: string, where: string | undefined) => {
      if (where !== undefined) problems.push(...repeated(seen, where, path(index, key)));
    };
    once('host', host === undefined && own ? undefined : `${host ?? LOCAL_SERVER}:${port}`);
    once('listen', own && own.port > 0 ? `${own.address}:${own.port}` : undefined);
  });
  return problems;
}
