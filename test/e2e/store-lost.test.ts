import { afterEach, describe, expect, test } from 'vitest';
import { backends } from '../store/backends.ts';
import { encode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { postgresPrograms, TestPostgres } from '../support/postgres.ts';
import { SlowLink } from '../support/slow-link.ts';
import { readWav, speechFile } from '../support/wav.ts';
import { Receiver } from '../webhooks/receiver.ts';

const typesOf = (receiver: Receiver, session: string): string[] =>
  receiver.of(session).map(({ type }) => type);

const speech = readWav(speechFile).subarray(0, 16_000);

describe.each(backends)('while the store on $name is lost', ({ missing, start }) => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  test.skipIf(missing)(
    'calls go on, new ones and REST are answered 503, and all that was missed is made up for when it is back',
    async () => {
      const backend = await start();
      running.push({ stop: () => backend.close() });
      const url = await backend.create();
      const receiver = await Receiver.start();
      running.push(receiver);
      const settings = { store: { url }, session: { rejoin_seconds: 1 }, webhooks: { allow_private: true } };
      const gateway = await TestGateway.start({ settings });
      running.push(gateway);
      await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
      const phone = await gateway.phone();
      running.push(phone);
      const [id, spare] = [await gateway.session(), await gateway.session()];
      const readiness = async () => (await gateway.rest('GET', '/readyz')).body;
      await eventually('both are told of', () => receiver.received.length === 2);
      // What follows this event in its session waits for its answer, which finds no store.
      const held = Promise.withResolvers<void>();
      receiver.answer = async (response) => {
        await held.promise;
        response.writeHead(200).end();
      };
      const call = await phone.call(gateway.uri(id));
      expect(call.status).toBe(200);
      await eventually('an event is on its way', () => receiver.received.length === 3);

      await backend.lose(url);
      await eventually('the loss is told', async () => (await readiness()).status === 'not_ready');
      held.resolve();
      expect((await readiness()).reasons).toEqual(['store_unavailable']);
      const { startedAt } = await call.media.play(speech);
      await new Promise((resolve) => setTimeout(resolve, 800));
      const report = compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
      expect(report.speechMatched).toBe(1);
      const refused = await phone.call(gateway.uri(spare));
      expect(refused.status).toBe(503);
      expect(refused.headers.get('X-Kallglot-Error')).toBe('store_unavailable');
      expect(refused.headers.get('Retry-After')).toBe('5');
      expect(refused.headers.get('Reason')).toMatch(/^Q\.850;cause=41;text="store_unavailable: /);
      const rest = await gateway.rest('POST', '/v1/sessions', {
        mode: 'bidirectional_translation',
        routing: { type: 'sip' },
      });
      expect(rest.status).toBe(503);
      expect(rest.headers.get('Retry-After')).toBe('5');
      expect(rest.body.error).toMatchObject({
        type: 'api_error',
        code: 'store_unavailable',
        retry_after: 5,
      });
      await call.bye();

      await backend.restore();
      await eventually('it is ready again', async () => (await readiness()).status === 'ready');
      expect((await phone.call(gateway.uri(spare))).status).toBe(200);
      await gateway.session();
      await eventually(
        'the call is on record',
        async () => (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data?.length === 1,
      );
      await eventually(
        'the session has ended',
        async () => (await gateway.rest('GET', `/v1/sessions/${id}`)).body.status === 'ended',
      );
      await eventually('its end is told', () => typesOf(receiver, id).includes('session.ended'));
      const [created, ...told] = typesOf(receiver, id);
      expect(created).toBe('session.created');
      expect(told.slice(0, 2).sort()).toEqual(['session.provider.connected', 'session.started']);
      expect(told.slice(2)).toEqual(['session.provider.disconnected', 'session.ended']);
    },
  );
});

test.skipIf(postgresPrograms() === undefined)(
  'a PostgreSQL that is slow makes set-ups and REST slow, and nothing else',
  { timeout: 180_000 },
  async () => {
    const running: { close(): Promise<unknown> }[] = [];
    const postgres = await TestPostgres.start();
    running.push(postgres);
    try {
      const link = await SlowLink.open(postgres.port);
      running.push(link);
      const url = (await postgres.createDatabase()).replace(`:${postgres.port}/`, `:${link.port}/`);
      const gateway = await TestGateway.start({ settings: { store: { url } } });
      running.push({ close: () => gateway.stop() });
      const phone = await gateway.phone();
      running.push({ close: () => phone.stop() });
      const [first, second] = [await gateway.session(), await gateway.session()];
      const one = await phone.call(gateway.uri(first));
      link.delayMs = 50;
      const before = one.media.heard.length;
      const two = await phone.call(gateway.uri(second));
      expect(two.status).toBe(200);
      await eventually('the first goes on', async () => one.media.heard.length > before + 10);
      await gateway.session();
      await one.bye();
      await two.bye();
      link.delayMs = 0;
      for (const id of [first, second])
        await eventually(
          'the call is on record',
          async () =>
            (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data[0]?.reason === 'hangup',
        );
    } finally {
      for (const one of running.reverse()) await one.close();
    }
  },
);
