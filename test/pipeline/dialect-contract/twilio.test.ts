import { twilioDialect } from '../../../src/pipeline/twilio-dialect.ts';
import { type BotConnection, FakeVoiceBot } from '../../support/fake-voice-bot.ts';
import { type DialectPeer, type DialectServer, describeDialect } from './contract.ts';

describeDialect('twilio', async (): Promise<DialectServer> => {
  const bot = await FakeVoiceBot.start();
  return {
    dialect: twilioDialect({
      url: bot.url,
      tokenSecret: 'a-secret-of-the-tests',
      accountSid: `AC${'0'.repeat(32)}`,
      authToken: undefined,
    }),
    refuse: () => {
      bot.server.refuse = 403;
    },
    ignorePings: () => {
      bot.server.answersPings = false;
    },
    get peers() {
      return bot.connections.map((connection) => peerOf(connection, bot));
    },
    close: () => bot.close(),
  };
});

const peerOf = (connection: BotConnection, bot: FakeVoiceBot): DialectPeer => ({
  carries: (speaker) => connection.role === speaker,
  heard: (speaker) => (connection.role === speaker ? connection.heard : Buffer.alloc(0)),
  // What a bot says on a stream is heard by the party of that stream.
  say: (speaker, audio) => bot.of(speaker === 'customer' ? 'agent' : 'customer')?.say(audio),
  sendGarbage: () => connection.sendText('{"event":'),
  reset: () => connection.reset(),
  end: () => false,
  get wasToldEnd() {
    return connection.wasToldEnd;
  },
  closed: connection.closed,
});
