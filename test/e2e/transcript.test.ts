import { afterEach, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { Receiver } from '../webhooks/receiver.ts';

describe('the transcript of a call', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start() {
    const pipeline = await FakePipeline.start({ answersEnd: false });
    running.push({ stop: () => pipeline.close() });
    const receiver = await Receiver.start();
    running.push(receiver);
    const gateway = await TestGateway.start({
      settings: {
        ...{ webhooks: { allow_private: true }, pipeline: { url: pipeline.url } },
        session: { rejoin_seconds: 1 },
      },
    });
    running.push(gateway);
    const events = ['transcript.segment', 'transcript.ready', 'session.ended'];
    await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events });
    const phone = await gateway.phone();
    running.push(phone);
    const id = await gateway.session({ source_language: 'en', target_language: 'de' });
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    return { gateway, pipeline, receiver, phone, id, call, peer: await pipeline.connection() };
  }

  test('grows while it goes on, takes the last words, and is told of at the end', async () => {
    const { gateway, receiver, id, call, peer } = await start();
    const transcript = async () => (await gateway.rest('GET', `/v1/sessions/${id}/transcript`)).body;
    peer.send({ type: 'transcript.partial', speaker: 'customer', text: 'Good mor' });
    await receiver.count(1);
    const first = { type: 'transcript.final', id: 'one', speaker: 'customer', text: 'Good morning.' };
    peer.send({ ...first, translation: 'Guten Morgen.' });
    peer.send(first);
    peer.send({ type: 'transcript.final', speaker: 'agent', text: 'Hallo.', translation: { text: 'Hi.' } });
    await eventually('two turns are kept', async () => (await transcript()).turns.length === 2);
    expect(await transcript()).toMatchObject({ status: 'in_progress' });

    await call.bye();
    await peer.message('session.end');
    peer.send({ type: 'transcript.final', speaker: 'customer', language: 'fr', text: 'Au revoir.' });
    peer.send({ type: 'session.ended', reason: 'explicit_end' });
    await eventually('all is told', () => receiver.types().includes('transcript.ready'));

    const { status, turns, metadata } = await transcript();
    expect(status).toBe('completed');
    expect(turns.map(({ timestamp: _at, ...turn }: { timestamp: string }) => turn)).toEqual([
      {
        ...{ sequence: 1, speaker: 'customer', language: 'en', text: 'Good morning.' },
        translation: { language: 'de', text: 'Guten Morgen.' },
      },
      {
        ...{ sequence: 2, speaker: 'agent', language: 'de', text: 'Hallo.' },
        translation: { language: 'en', text: 'Hi.' },
      },
      { sequence: 3, speaker: 'customer', language: 'fr', text: 'Au revoir.' },
    ]);
    expect(metadata).toMatchObject({ total_turns: 3, languages_detected: ['en', 'de', 'fr'] });
    const told = receiver.received.map(({ body }) => body.data.text ?? body.type);
    expect(told.filter((one) => one !== 'session.ended')).toEqual([
      ...['Good mor', 'Good morning.', 'Hallo.', 'Au revoir.', 'transcript.ready'],
    ]);
    expect(told.indexOf('session.ended')).toBeLessThan(told.indexOf('transcript.ready'));
    expect(receiver.received.at(-1)?.body.data).toMatchObject({
      session_id: id,
      status: 'completed',
      metadata,
    });
  });

  test('is complete too when the session is ended over REST', async () => {
    const { gateway, receiver, id, call, peer } = await start();
    peer.send({ type: 'transcript.final', speaker: 'customer', text: 'One moment.' });
    await receiver.count(1);
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
    await call.ended;
    await peer.message('session.end');
    peer.send({ type: 'transcript.final', speaker: 'customer', text: 'Hello?' });
    peer.send({ type: 'session.ended', reason: 'explicit_end' });
    await eventually('all is told', () => receiver.types().includes('transcript.ready'));
    expect(receiver.types()).toEqual([
      ...['transcript.segment', 'session.ended', 'transcript.segment', 'transcript.ready'],
    ]);
  });

  test('loses words of a session whose pipeline floods, counted, and none of another session', {
    timeout: 60_000,
  }, async () => {
    const { gateway, pipeline, phone, id, call, peer } = await start();
    const transcript = async (of: string) =>
      (await gateway.rest('GET', `/v1/sessions/${of}/transcript`)).body;
    const other = await gateway.session();
    const quiet = await phone.call(gateway.uri(other));
    for (let i = 0; i < 3000; i++)
      peer.send({ type: 'transcript.final', speaker: 'customer', text: `turn ${i}` });
    const words = { type: 'transcript.final', speaker: 'customer', text: 'Is anybody there?' };
    (await pipeline.connection(1)).send(words);
    const allAccountedFor = async () => {
      const counts = ['kept', 'dropped'].map((outcome) =>
        gateway.metric(`kallglot_transcript_turns_total{outcome="${outcome}"}`),
      );
      return (await Promise.all(counts)).reduce((sum, one) => sum + one) === 3001;
    };
    await eventually('each turn is kept or counted', allAccountedFor, 40_000);
    await eventually('what was lost is written down', async () => {
      const { turns, metadata } = await transcript(id);
      return turns[0].text === 'turn 0' && turns.length + (metadata.dropped_turns ?? 0) === 3000;
    });
    expect(await transcript(other)).toMatchObject({
      turns: [{ text: words.text }],
      metadata: { total_turns: 1 },
    });
    await Promise.all([call.bye(), quiet.bye()]);
  });
});
