import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { postgresPrograms, TestPostgres } from './postgres.ts';

describe.skipIf(postgresPrograms() === undefined)('the PostgreSQL server of the tests', () => {
  test('makes databases that share nothing, keeps what was written over a crash, and leaves nothing running', async () => {
    const server = await TestPostgres.start();
    try {
      const [first, second] = [await server.createDatabase(), await server.createDatabase()];
      await server.query('create table kept (value integer); insert into kept values (7)', first);
      await expect(server.query('select * from kept', second)).rejects.toThrow('does not exist');
      await server.stop();
      await expect(server.query('select 1')).rejects.toThrow('ECONNREFUSED');
      await server.resume();
      expect(await server.query('select value from kept', first)).toEqual([{ value: 7 }]);
    } finally {
      await server.close();
    }
    const refused = await new Promise((resolve) => {
      connect(server.port, '127.0.0.1').once('error', resolve);
    });
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
