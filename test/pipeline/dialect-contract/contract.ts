import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newSessionId } from '../../../src/ids.ts';
import type { Dialect } from '../../../src/pipeline/dialect.ts';
import type { LinkEvent } from '../../../src/pipeline/pipeline-link.ts';
import { createPipelineLinks } from '../../../src/pipeline/pipeline-links.ts';
import type { Role } from '../../../src/roles.ts';
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
        dialect: server.dialect,
        reconnectSeconds: 60,
        clock: fastClock(speed),
        log: pino({ level: 'silent' }),
      });
      const events: LinkEvent[] = [];
      const link = links.create({
        ...{ sessionId: newSessionId(), sourceLanguage: 'en', targetLanguage: 'de' },
        mode: 'bidirectional_translation',
        onEvent: (event) => events.push(event),
      });
      return { link, events, opened: link.open(new AbortController().signal) };
    }
    async function open(speed?: number) {
      const made = make(speed);
      await made.opened;
      const legs = { customer: new TestLeg(), agent: new TestLeg() };
      made.link.attach('customer', legs.customer);
      made.link.attach('agent', legs.agent);
      return { ...made, ...legs };
    }
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
      await Promise.all([customer.say(speech(9600, 1)), agent.say(speech(9600, 2))]);
      await expect.poll(() => heard('customer'), patience).toEqual(speech(9600, 1));
      await expect.poll(() => heard('agent'), patience).toEqual(speech(9600, 2));
      expect(link.stats()).toMatchObject({ inputDroppedMs: 0, lostMs: 0 });
      await link.close(false);
    });

    test('the translation of what one says is heard by the other', async () => {
      const { link, customer, agent } = await open();
      peerOf('customer').say('customer', speech(1600, 1));
      peerOf('agent').say('agent', speech(1600, 2));
      await expect.poll(() => agent.heard(), patience).toEqual(speech(1600, 1));
      await expect.poll(() => customer.heard(), patience).toEqual(speech(1600, 2));
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
      const said = Buffer.concat([1, 2, 3].map((seed) => speech(1600, seed)));
      await customer.say(said.subarray(0, 1600));
      await expect.poll(() => heard('customer').length, patience).toBe(1600);
      peerOf('customer').reset();
      await expect.poll(() => link.state, patience).toBe('down');
      await customer.say(said.subarray(1600, 3200));
      await expect.poll(() => events.map(({ type }) => type), patience).toEqual(['down', 'up']);
      await customer.say(said.subarray(3200));
      const { lostMs, resentMs } = events[1] as Extract<LinkEvent, { type: 'up' }>;
      // What came twice is known by its numbers; where there are none, nothing comes twice.
      await expect.poll(() => heard('customer').length, patience).toBe(4800 + resentMs * 8);
      if (server.dialect.replay === 'sequence') expect(lostMs).toBe(0);
      else expect(resentMs).toBe(0);
      expect(heard('customer').subarray(1600 + resentMs * 8)).toEqual(said.subarray(1600));
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
