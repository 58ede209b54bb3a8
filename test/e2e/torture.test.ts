import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from '../../src/sip-engine/engine.ts';
import type { EngineStats } from '../../src/sip-engine/stats.ts';
import { type Outcome, rfc4475, rfc5118, type TortureRow } from '../sip-engine/torture-table.ts';
import { fixture } from '../sip-engine/verdict.ts';
import { type BytePeer, messagesOf, openTcpPeer, openUdpPeer } from '../support/byte-peer.ts';
import { EverythingApp, type TakenRequest } from '../support/everything-app.ts';
import { bodyOf, headerIn } from '../support/sip-caller.ts';

/** A running engine with its application, and what tells its transactions apart so far. */
interface Scene {
  engine: Engine;
  app: EverythingApp;
  /** What the application got since it was last emptied. */
  taken: TakenRequest[];
  used: Set<string>;
}

/**
 * The torture messages of RFC 4475 and RFC 5118, sent over real sockets to a running engine with a drachtio-srf
 * application behind it.
 */
describe.each(['udp', 'tcp'] as const)('torture messages over %s', (transport) => {
  const scenes: Record<string, Scene[]> = { '127.0.0.1': [], '::1': [] };
  let peer: BytePeer | undefined;
  afterEach(() => peer?.close());
  afterAll(async () => {
    for (const { engine, app } of Object.values(scenes).flat()) {
      app.disconnect();
      await engine.close();
    }
  });

  /** Messages that share their Via or Call-ID would be retransmissions, so each of them gets another engine. */
  async function sceneFor(host: string, text: string): Promise<Scene> {
    const keys = [/^(?:Via|v) *: *.*$/im, /^(?:Call-ID|i) *: *.*$/im].map((key) => key.exec(text)?.[0] ?? '');
    const known = scenes[host]!.find(({ used }) => !keys.some((key) => used.has(key)));
    const scene = known ?? (await newScene(host));
    for (const key of keys) if (key !== '') scene.used.add(key);
    return scene;
  }

  async function newScene(host: string): Promise<Scene> {
    const engine = await startEngine({ listen: [{ transport, host, port: 0 }] });
    const taken: TakenRequest[] = [];
    const app = new EverythingApp((request) => taken.push(request));
    const scene = { engine, app, taken, used: new Set<string>() };
    scenes[host]!.push(scene);
    await app.connect(engine);
    return scene;
  }

  async function openPeer(host: string, { hostports }: Engine): Promise<BytePeer> {
    const port = Number(hostports[0]!.split(':').at(-1));
    peer = await (transport === 'udp' ? openUdpPeer : openTcpPeer)(host, port);
    return peer;
  }

  /** RFC 5118's messages come by IPv6, where an answer can find its way: the two of §4.10 name a host in their Via. */
  const hostFor = ({ section, name }: TortureRow): string =>
    name.startsWith('v6-') && (section !== '4.10' || transport === 'tcp') ? '::1' : '127.0.0.1';

  // The stream of dblreq has a test of its own.
  const rows = [...rfc4475, ...rfc5118].filter(({ name }) => transport === 'udp' || name !== 'dblreq');
  test.each(rows)('$section $name ($asks)', async (row) => {
    const bytes = fixture(row.name);
    const scene = await sceneFor(hostFor(row), bytes.toString('latin1'));
    const peer = await openPeer(hostFor(row), scene.engine);
    const before = await scene.engine.control.stats();
    scene.taken.length = 0;
    peer.send(bytes);
    const outcome = transport === 'udp' ? row.outcome : row.overTcp;
    // Whoever waits for the rest takes the whole when it comes.
    if (outcome === 'incomplete') peer.send(Buffer.alloc(9_999, ' '));
    await checkOutcome(outcome === 'incomplete' ? 'application' : outcome, bytes, scene, peer, before);
    expect((await scene.engine.control.stats()).faults).toBe(0);
  });

  if (transport === 'udp') return;

  test('3.1.1.8 dblreq: in a stream the octets behind the first request are one too (without Contact: 400)', async () => {
    const { engine, taken } = await newScene('127.0.0.1');
    const peer = await openPeer('127.0.0.1', engine);
    peer.send(fixture('dblreq'));
    await expect.poll(() => statuses(peer)).toContain('400');
    await expect.poll(() => taken.map(({ method }) => method)).toEqual(['REGISTER']);
  });

  test('a stream whose next message cannot be found is closed', async () => {
    const { engine } = await newScene('127.0.0.1');
    const peer = await openPeer('127.0.0.1', engine);
    peer.send(fixture('mcl01'));
    await expect.poll(() => peer.ended).toBe(true);
  });
});

/** Of the final answers with that Call-ID, or of all. */
const statuses = (peer: BytePeer, callId = ''): string[] =>
  messagesOf(peer)
    .filter((answer) => answer.includes(callId))
    .map((answer) => answer.slice(8, 11))
    .filter((status) => status >= '200');

async function checkOutcome(
  outcome: Outcome,
  bytes: Buffer,
  { engine, taken }: Scene,
  peer: BytePeer,
  before: EngineStats,
): Promise<void> {
  if (outcome === 'stray' || outcome === 'unreadable') {
    await expect.poll(async () => (await engine.control.stats()).dropped).toBe(before.dropped + 1);
    expect([taken, peer.received]).toEqual([[], []]);
    return;
  }
  const [text = ''] = bytes.toString('latin1').split(/(?<=\r\n\r\n)(?=\r\n)/);
  const callId = headerIn(text, 'Call-ID') || headerIn(text, 'i');
  await expect.poll(() => statuses(peer, callId)).not.toEqual([]);
  const [status] = statuses(peer, callId);
  if (outcome !== 'application') {
    expect(status).toBe(`${outcome}`);
    expect(taken).toEqual([]);
    return;
  }
  const [method, uri] = text.split(' ');
  expect(status).toBe(method === 'INVITE' ? '486' : '200');
  expect(taken[0]).toMatchObject({ method, uri });
  expect(taken[0]!.get('Call-ID')).toBe(callId);
  const sdp = bodyOf(text).startsWith('v=0');
  expect(taken[0]!.body?.startsWith('v=0') ?? false).toBe(sdp);
}
