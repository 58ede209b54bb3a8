import { openaiDialect } from '../../../src/pipeline/openai-dialect.ts';
import { FakeOpenai, type FakeTranslationSession } from '../../support/fake-openai.ts';
import { type DialectPeer, type DialectServer, describeDialect } from './contract.ts';

describeDialect('openai', async (): Promise<DialectServer> => {
  const openai = await FakeOpenai.start();
  const settings = { key: 'sk-of-the-tests', model: 'gpt-realtime-translate', transcriptionModel: undefined };
  return {
    dialect: openaiDialect({ url: openai.url, ...settings }),
    refuse: () => {
      openai.server.refuse = 503;
    },
    ignorePings: () => {
      openai.server.answersPings = false;
    },
    get peers() {
      return openai.sessions.map(peerOf);
    },
    close: () => openai.close(),
  };
});

/** The session of the contract is from English to German: what the customer says is to be German. */
const peerOf = (session: FakeTranslationSession): DialectPeer => ({
  carries: (speaker) => session.language === (speaker === 'customer' ? 'de' : 'en'),
  heard: (speaker) => (peerOf(session).carries(speaker) ? session.heard : Buffer.alloc(0)),
  say: (_speaker, audio) => session.sayMulaw(audio),
  sendGarbage: () => session.sendText('{"type":'),
  reset: () => session.reset(),
  end: () => false,
  get wasToldEnd() {
    return session.wasToldEnd;
  },
  closed: session.closed,
});
