import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { newSessionId } from '../../src/ids.ts';
import { type EmbeddedPipelineOptions, startEmbeddedPipeline } from '../../src/pipeline/embedded-pipeline.ts';
import { signToken } from '../../src/session-token.ts';
import { openLink, patience, speech, TestLeg, tokenSecret } from './link-fixture.ts';

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

async function start(options: Partial<EmbeddedPipelineOptions> = {}): Promise<string> {
  const pipeline = await startEmbeddedPipeline({ behaviour: 'echo', delayMs: 0, tokenSecret, ...options });
  close = pipeline.close;
  return pipeline.url;
}

test('echo: a party hears itself, and only itself', async () => {
  const { link } = await openLink({ url: await start() });
  const [customer, agent] = [new TestLeg(), new TestLeg()];
  link.attach('customer', customer);
  link.attach('agent', agent);
  await Promise.all([customer.say(speech(3200, 1)), agent.say(speech(3200, 2))]);
  await expect.poll(() => customer.heard(), patience).toEqual(speech(3200, 1));
  await expect.poll(() => agent.heard(), patience).toEqual(speech(3200, 2));
  await link.close(true);
});

test('relay: the parties hear each other', async () => {
  const { link } = await openLink({ url: await start({ behaviour: 'relay' }) });
  const [customer, agent] = [new TestLeg(), new TestLeg()];
  link.attach('customer', customer);
  link.attach('agent', agent);
  await customer.say(speech(1600, 1));
  await expect.poll(() => agent.heard(), patience).toEqual(speech(1600, 1));
  expect(customer.heard().length).toBe(0);
  await link.close(true);
});

test.each(['echo', 'relay'] as const)('%s in a one-leg mode: the leg hears itself', async (behaviour) => {
  const { link } = await openLink({ url: await start({ behaviour }), mode: 'help_chat_voice' });
  const leg = new TestLeg();
  link.attach('customer', leg);
  await leg.say(speech(1600));
  await expect.poll(() => leg.heard(), patience).toEqual(speech(1600));
  await link.close(true);
});

test('audio comes back after the delay, not before', async () => {
  const { link } = await openLink({ url: await start({ delayMs: 300 }) });
  const leg = new TestLeg();
  link.attach('customer', leg);
  const said = performance.now();
  await leg.say(speech(160));
  await expect.poll(() => leg.heard(), patience).toEqual(speech(160));
  expect(performance.now() - said).toBeGreaterThanOrEqual(300);
  await link.close(true);
});

test('closing drops the connections that are open', async () => {
  const { link, events } = await openLink({ url: await start() });
  await close?.();
  await expect.poll(() => events, patience).toMatchObject([{ type: 'down' }, { type: 'lost' }]);
  await link.close(true);
});

describe('spoken to directly', () => {
  const sessionId = newSessionId();
  const fill = (url: string, token: string) =>
    url.replace('{session_id}', sessionId).replace('{token}', token);

  async function connect(url: string): Promise<{ socket: WebSocket; received: Record<string, unknown>[] }> {
    const received: Record<string, unknown>[] = [];
    const socket = new WebSocket(fill(url, signToken(tokenSecret, sessionId, Date.now())));
    socket.on('message', (data) => received.push(JSON.parse(data.toString())));
    await expect.poll(() => received, patience).toEqual([{ type: 'session.ready', session_id: sessionId }]);
    received.length = 0;
    return { socket, received };
  }

  test('it answers ping and session.end as the contract has it', async () => {
    const { socket, received } = await connect(await start());
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send('{"type":"ping"}');
    socket.send('{"type":"session.end"}');
    expect(await closed).toBe(1000);
    expect(received).toEqual([
      { type: 'pong', session_id: sessionId },
      { type: 'session.ended', session_id: sessionId, reason: 'explicit_end' },
    ]);
  });

  test('it complains about what is not mulaw at 8000 Hz, and goes on', async () => {
    const { socket, received } = await connect(await start());
    const input = (audio: object) =>
      socket.send(JSON.stringify({ type: 'audio.input', sequence: 1, speaker: 'customer', audio }));
    input({ encoding: 'pcm_16', sample_rate_hz: 8000, payload: 'AAAA' });
    input({ encoding: 'mulaw', sample_rate_hz: 16_000, payload: 'AAAA' });
    input({ encoding: 'mulaw', sample_rate_hz: 8000, payload: '", "x": "' });
    socket.send('garbage');
    socket.send('{"type":"unheard.of"}');
    socket.send(Buffer.alloc(10));
    input({ encoding: 'mulaw', sample_rate_hz: 8000, payload: 'AAAA' });
    await expect
      .poll(() => received.at(-1), patience)
      .toMatchObject({ type: 'audio.output', speaker: 'agent' });
    expect(received.map(({ type, code }) => code ?? type)).toEqual([
      'invalid_audio_format',
      'invalid_audio_format',
      'invalid_message',
      'invalid_message',
      'audio.output',
    ]);
    socket.terminate();
  });

  test.each([
    ['no token', ''],
    ['a token of another secret', signToken('quite-another-secret', sessionId, Date.now())],
    ['a token for another session', signToken(tokenSecret, newSessionId(), Date.now())],
    ['an old token', signToken(tokenSecret, sessionId, Date.now() - 600_000)],
  ])('it lets nobody in with %s', async (_name, token) => {
    const socket = new WebSocket(fill(await start(), token));
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('401');
  });
});
