import { kallglotDialect } from '../../../src/pipeline/kallglot-dialect.ts';
import { type FakeConnection, FakePipeline } from '../../support/fake-pipeline.ts';
import { type DialectPeer, type DialectServer, describeDialect } from './contract.ts';

describeDialect('kallglot', async (): Promise<DialectServer> => {
  const pipeline = await FakePipeline.start();
  return {
    dialect: kallglotDialect({
      url: pipeline.url,
      tokenSecret: 'a-secret-of-the-tests',
      chunkMs: 100,
      extensions: false,
    }),
    refuse: () => {
      pipeline.behaviour = { refuse: 401 };
    },
    ignorePings: () => {
      pipeline.behaviour = { answersPings: false };
    },
    get peers() {
      return pipeline.connections.map(peerOf);
    },
    close: () => pipeline.close(),
  };
});

const peerOf = (connection: FakeConnection): DialectPeer => ({
  carries: () => true,
  heard: (speaker) => connection.audio(speaker),
  say: (speaker, audio) => connection.say(speaker, audio),
  sendGarbage: () => connection.send('{"type":'),
  reset: () => connection.reset(),
  end: (reason) => {
    connection.send({ type: 'session.ended', reason });
    return true;
  },
  get wasToldEnd() {
    return connection.messages.some(({ type }) => type === 'session.end');
  },
  closed: connection.closed,
});
