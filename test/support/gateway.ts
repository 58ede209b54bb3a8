import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway.ts';
import { createLog } from '../../src/telemetry/log.ts';
import type { SipTransportName } from './sip-transport.ts';
import { type StreamAddress, streamAt } from './stream-kinds.ts';
import { TestPhone, type TestPhoneOptions } from './test-phone.ts';

type Settings = Record<string, unknown>;

/** The organization that a test gateway has if the test names none: it calls from loopback, and has a password. */
export const acme = {
  id: 'acme',
  name: 'Acme',
  api_keys: ['sk_test_acme_0123456789'],
  sip: { username: 'acme', password: 'acme-password', allowed_ips: ['127.0.0.1'], concurrency_limit: 500 },
};

/** Tests make more sessions than a customer may. */
export const noRateLimit = {
  requests_per_minute: 1_000_000,
  session_creates_per_minute: 1_000_000,
  failed_authentications_per_minute: 1_000_000,
};

/** A test machine that is busy with something else is not to refuse calls. */
export const busyMachineLimits = {
  event_loop_delay_ms: 60_000,
  media_delay_ms: 60_000,
  media_busy_percent: 100,
};

export interface TestGatewayOptions {
  /** Sections of the configuration, laid over those of a test: loopback, free ports, no log. */
  settings?: Record<string, Settings>;
  organizations?: Settings[];
  /** Takes the lines of the log, in place of standard output. */
  onLogLine?: (line: string) => void;
  /** Keep the store of another test gateway, to start again on it. */
  folder?: string;
}

/** A whole gateway in this process, on loopback and free ports, with a store of its own. */
export class TestGateway {
  readonly gateway: Gateway;
  readonly folder: string;

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.folder = folder;
  }

  static async start({
    settings = {},
    organizations = [acme],
    folder,
    onLogLine,
  }: TestGatewayOptions = {}): Promise<TestGateway> {
    const place = folder ?? mkdtempSync(join(tmpdir(), 'test-gateway-'));
    const section = (name: string, standard: Settings) => ({ [name]: { ...standard, ...settings[name] } });
    const logOptions = onLogLine === undefined ? {} : { destination: { write: onLogLine } };
    const config = parseConfig({
      ...settings,
      ...section('sip', { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] }),
      ...section('api', { listen: '127.0.0.1:0', rate_limit: noRateLimit }),
      ...section('store', { url: `sqlite:${join(place, 'test.db')}` }),
      ...section('media', { address: '127.0.0.1', ports: '21000-24999' }),
      ...section('limits', busyMachineLimits),
      ...section('log', { level: process.env.TEST_LOG ?? 'silent' }),
      organizations,
    });
    return new TestGateway(await startGateway(config, createLog(config.log.level, logOptions)), place);
  }

  /** Host and port of the SIP listener of a transport. */
  sipAddress(transport: SipTransportName = 'udp'): string {
    const hostport = this.gateway.hostports.find((one) => one.startsWith(`${transport}/`));
    return (hostport ?? '').slice(transport.length + 1);
  }

  uri(sessionId: string, { role, transport }: { role?: string; transport?: SipTransportName } = {}): string {
    const suffix = role === undefined ? '' : `;role=${role}`;
    return `sip:${sessionId}@${this.sipAddress(transport)}${suffix}`;
  }

  /** A REST request with an organization's key. */
  rest(method: string, path: string, body?: unknown, key?: string): Promise<RestAnswer> {
    return ask(this.gateway.apiUrl, method, path, body, key);
  }

  /** Makes a session that is routed to SIP. @returns its id */
  async session(wishes: Settings = {}, key?: string): Promise<string> {
    const wanted = { mode: 'bidirectional_translation', routing: { type: 'sip' }, ...wishes };
    const { status, body } = await this.rest('POST', '/v1/sessions', wanted, key);
    if (status !== 201) throw new Error(`POST /v1/sessions: ${status} ${JSON.stringify(body)}`);
    return body.id;
  }

  /** Where clients of a session's stream connect. */
  streamOf({ stream }: { stream: StreamAddress }): StreamAddress {
    return streamAt(this.gateway.apiUrl, stream);
  }

  /** A metric as it stands now, 0 when it has no such series. @param series as scraped: `kallglot_calls_active` */
  async metric(series: string): Promise<number> {
    const text: string = (await this.rest('GET', '/metrics')).body;
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  /** A phone that is started; stop it, or let the test's end do it. */
  phone(options: TestPhoneOptions = {}): Promise<TestPhone> {
    return new TestPhone({ username: 'acme', password: 'acme-password', ...options }).start();
  }

  async stop({ keepStore = false } = {}): Promise<void> {
    await this.gateway.stop();
    if (!keepStore) rmSync(this.folder, { recursive: true, force: true });
  }
}

interface RestAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever the API answered
  body: any;
  headers: Headers;
}

/** A REST request with an organization's key. @param api where it listens: `http://127.0.0.1:8080` */
export async function ask(
  api: string,
  method: string,
  path: string,
  body?: unknown,
  key = acme.api_keys[0] as string,
): Promise<RestAnswer> {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

/** Asks again and again until something holds. @throws Error naming it when that takes longer than 10 s */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
