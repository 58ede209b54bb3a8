import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesPerMs } from '../../../src/audio/format.ts';
import { newSessionId } from '../../../src/ids.ts';
import type { Dialect } from '../../../src/pipeline/dialect.ts';
import type { LinkEvent } from '../../../src/pipeline/pipeline-link.ts';
import { createPipelineLinks } from '../../../src/pipeline/pipeline-links.ts';
import { type Role, roles } from '../../../src/roles.ts';
import { decode, encode } from '../../support/g711.ts';
import { levelDb, tone, translated } from '../../support/tones.ts';
import { fastClock, patience, speech, TestLeg } from '../link-fixture.ts';

/** A pipeline that speaks the dialect, as far as the contract needs it. */
export interface DialectServer {
  readonly dialect: Dialect;
  /** Refuses new connections from now on. */
  refuse(): void;
  /** Answers no pings on new connections from now on. */
  ignorePings(): void;
  /** All connections so far, in order. */
  readonly peers: readonly DialectPeer[];
  close(): Promise<void>;
}

/** The server's side of one connection. */
export interface DialectPeer {
  /** Whether it carries what the speaker says. */
  carries(speaker: Role): boolean;
  /** What it heard of a speaker, in the dialect's `input` format. */
  heard(speaker: Role): Buffer;
  /** Says mu-law audio: the translation of what `speaker` said. */
  say(speaker: Role, audio: Buffer): void;
  sendGarbage(): void;
  reset(): void;
  /** The pipeline ends the session. @returns false where the dialect has no word for it */
  end(reason: string): boolean;
  /** Whether it was told that the session is over. */
  readonly wasToldEnd: boolean;
  readonly closed: Promise<unknown>;
}

/** What every dialect owes the link. */
export function describeDialect(name: string, start: () => Promise<DialectServer>): void {
  describe(`the dialect ${name}`, () => {
    let server: DialectServer;
    beforeEach(async () => {
      server = await start();
    });
    afterEach(() => server.close());

    function make(speed = 1) {
      const links = createPipelineLinks({
        dialectOf: () => server.dialect,
        reconnectSeconds: 60,
        clock: fastClock(speed),
        log: pino({ level: 'silent' }),
      });
      const events: LinkEvent[] = [];
      const link = links.create({
        ...{ sessionId: newSessionId(), organizationId: 'acme', sourceLanguage: 'en', targetLanguage: 'de' },
        mode: 'bidirectional_translation',
        onEvent: (event) => events.push(event),
      });
      return { link, events, opened: link.open(new AbortController().signal) };
    }
    async function open(speed?: number) {
      const made = make(speed);
      await made.opened;
      const { input } = server.dialect;
      const legs = { customer: new TestLeg(input), agent: new TestLeg(input) };
      made.link.attach('customer', legs.customer);
      made.link.attach('agent', legs.agent);
      return { ...made, ...legs };
    }
    const bytes = (ms: number) => ms * bytesPerMs(server.dialect.input);
    const heard = (speaker: Role) => Buffer.concat(server.peers.map((peer) => peer.heard(speaker)));
    const connections = () => (server.dialect.connections === 'shared' ? 1 : 2);
    const peerOf = (speaker: Role) => server.peers.findLast((peer) => peer.carries(speaker)) as DialectPeer;

    test('gets ready over as many connections as it says', async () => {
      const { link } = await open();
      expect(link.state).toBe('up');
      expect(server.peers.length).toBe(connections());
      await link.close(false);
    });

    test('a refusal is told at once', async () => {
      server.refuse();
      await expect(make().opened).rejects.toMatchObject({ code: 'pipeline_unavailable' });
    });

    test('what each party says arrives whole, under its name', async () => {
      const { link, customer, agent } = await open();
      const said = { customer: speech(bytes(1200), 1), agent: speech(bytes(1200), 2) };
      await Promise.all([customer.say(said.customer), agent.say(said.agent)]);
      for (const role of roles) {
        await expect.poll(() => heard(role).length, patience).toBe(bytes(1200));
        expect(heard(role).equals(said[role])).toBe(true);
      }
      expect(link.stats()).toMatchObject({ inputDroppedMs: 0, lostMs: 0 });
      await link.close(false);
    });

    test('the translation of what one says is heard by the other', async () => {
      const { link, customer, agent } = await open();
      // The stream of each may begin a moment after its leg is there.
      await customer.say(speech(bytes(200)));
      await expect.poll(() => heard('customer').length, patience).toBeGreaterThan(0);
      for (const [speaker, listener] of [
        ['customer', agent],
        ['agent', customer],
      ] as const) {
        const { [speaker]: hz } = translated;
        const { length } = listener.heard();
        peerOf(speaker).say(speaker, Buffer.from(encode('PCMU', tone(hz, 200))));
        await expect.poll(() => listener.heard().length - length, patience).toBeGreaterThan(1500);
        expect(levelDb(decode('PCMU', listener.heard().subarray(length)), hz)).toBeGreaterThan(-3);
      }
      await link.close(false);
    });

    test('what is not of the dialect is counted, and the link stays', async () => {
      const { link, events } = await open();
      server.peers[0]?.sendGarbage();
      await expect.poll(() => link.stats().invalidFrames, patience).toBe(1);
      expect(events).toEqual([]);
      expect(link.state).toBe('up');
      await link.close(false);
    });

    test('pings are answered; without answers the pipeline is down', async () => {
      const answered = await open(20);
      await expect.poll(() => answered.link.stats().pingMs, patience).toBeGreaterThan(0);
      expect(answered.events).toEqual([]);
      await answered.link.close(false);
      server.ignorePings();
      const silent = await open(20);
      await expect
        .poll(() => silent.events[0], patience)
        .toEqual({
          type: 'down',
          detail: 'a ping was not answered',
        });
      await silent.link.close(false);
    });

    test('a connection that is lost is made again; speech is not lost, or is counted', async () => {
      const { link, events, customer } = await open(10);
      const piece = bytes(200);
      const said = Buffer.concat([1, 2, 3].map((seed) => speech(piece, seed)));
      await customer.say(said.subarray(0, piece));
      await expect.poll(() => heard('customer').length, patience).toBe(piece);
      peerOf('customer').reset();
      await expect.poll(() => link.state, patience).toBe('down');
      await customer.say(said.subarray(piece, 2 * piece));
      await expect.poll(() => events.map(({ type }) => type), patience).toEqual(['down', 'up']);
      await customer.say(said.subarray(2 * piece));
      const { lostMs, resentMs } = events[1] as Extract<LinkEvent, { type: 'up' }>;
      // What came twice is known by its numbers; where there are none, nothing comes twice.
      await expect.poll(() => heard('customer').length, patience).toBe(3 * piece + bytes(resentMs));
      if (server.dialect.replay === 'sequence') expect(lostMs).toBe(0);
      else expect(resentMs).toBe(0);
      const fresh = heard('customer').subarray(piece + bytes(resentMs));
      expect(fresh.equals(said.subarray(piece))).toBe(true);
      expect(link.stats().reconnects).toBe(1);
      await link.close(false);
    });

    test('a session that ends is said good-bye to, and closed', async () => {
      const { link, events } = await open();
      await link.close(true);
      await Promise.all(server.peers.map(({ closed }) => closed));
      expect(server.peers.every(({ wasToldEnd }) => wasToldEnd)).toBe(true);
      expect(events).toEqual([]);
    });

    test('a session that the pipeline ends is ended, not lost', async () => {
      const { link, events } = await open();
      if (server.peers[0]?.end('enough')) {
        await expect.poll(() => events, patience).toEqual([{ type: 'ended', reason: 'enough' }]);
        await Promise.all(server.peers.map(({ closed }) => closed));
        expect(server.peers.length).toBe(connections());
      }
      await link.close(true);
    });
  });
}
