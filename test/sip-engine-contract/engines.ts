import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import { certificateOf, tlsSettings } from '../support/certificates.ts';
import type { CallerTransport } from '../support/sip-caller.ts';

/** An engine that the contract is held against. */
export interface EngineUnderTest {
  readonly name: 'the embedded engine' | 'drachtio-server';
  /** What it takes SIP over. */
  readonly transports: readonly CallerTransport[];
  /** Starts it, or finds it running. */
  start(): Promise<RunningEngine>;
  stop(): Promise<void>;
}

export interface RunningEngine {
  /** What `srf.connect` needs. */
  admin: { host: string; port: number; secret: string };
  /** Where it takes SIP, over UDP and TCP, and over TLS. */
  sipHost: string;
  sipPort: number;
  tlsPort?: number | undefined;
  /** Whom a caller trusts. */
  tls?: ConnectionOptions;
}

/**
 * The embedded engine always; and the drachtio-server that DRACHTIO_HOST, DRACHTIO_PORT, DRACHTIO_SECRET (its admin port)
 * and DRACHTIO_SIP (`host:port` where it takes SIP over UDP and TCP) name, if they do; DRACHTIO_SIP_TLS_PORT is where it
 * takes TLS, with any certificate.
 */
export function enginesUnderTest(): EngineUnderTest[] {
  const sip = process.env.DRACHTIO_SIP;
  return [embedded(), ...(sip === undefined ? [] : [drachtioServer(sip)])];
}

function embedded(): EngineUnderTest {
  let engine: Engine | undefined;
  return {
    name: 'the embedded engine',
    transports: ['UDP', 'TCP', 'TLS'],
    async start() {
      const host = '127.0.0.1';
      const { engine: started, port } = await startAtSharedPort(host);
      engine = started;
      const tlsPort = Number(engine.hostports.at(-1)?.split(':')[1]);
      return { admin: engine, sipHost: host, sipPort: port, tlsPort, tls: { ca: certificateOf('ca') } };
    },
    stop: async () => engine?.close(),
  };
}

/** Starts an engine whose UDP and TCP share a port, which may be free for the one and taken for the other. */
async function startAtSharedPort(host: string): Promise<{ engine: Engine; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = await freeUdpPort(host);
    const listen = [
      { transport: 'udp', host, port },
      { transport: 'tcp', host, port },
      { transport: 'tls', host, port: 0 },
    ] as const;
    try {
      return { engine: await startEngine({ listen: [...listen], tls: tlsSettings() }), port };
    } catch (error) {
      if (tries === 10 || !String(error).includes('in use')) throw error;
    }
  }
}

async function freeUdpPort(host: string): Promise<number> {
  const probe = createSocket('udp4').bind(0, host);
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

function drachtioServer(sip: string): EngineUnderTest {
  const [sipHost = '127.0.0.1', sipPort = '5060'] = sip.split(':');
  const {
    DRACHTIO_HOST: host = '127.0.0.1',
    DRACHTIO_PORT: port = '9022',
    DRACHTIO_SECRET: secret = 'cymru',
    DRACHTIO_SIP_TLS_PORT: tlsPort,
  } = process.env;
  return {
    name: 'drachtio-server',
    transports: tlsPort === undefined ? ['UDP', 'TCP'] : ['UDP', 'TCP', 'TLS'],
    start: async () => ({
      admin: { host, port: Number(port), secret },
      sipHost,
      sipPort: Number(sipPort),
      tlsPort: Number(tlsPort),
      tls: { rejectUnauthorized: false },
    }),
    stop: async () => {},
  };
}
