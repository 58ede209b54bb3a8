import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { freeTcpPort } from './port-pair.ts';

/** Where Debian, Red Hat and Homebrew put PostgreSQL's programs beside the PATH. */
const places = ['/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/opt/homebrew/opt/postgresql*/bin'];

/** @returns the folder of `initdb` and `postgres`, the newest first; undefined where there is none */
export function postgresPrograms(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter);
  const installed = places.flatMap((place) => globSync(place)).sort((a, b) => version(b) - version(a));
  return [...onPath, ...installed].find((folder) =>
    ['initdb', 'postgres'].every((program) => folder !== '' && existsSync(join(folder, program))),
  );
}

const version = (folder: string): number => Number(/\d+/.exec(folder)?.[0] ?? 0);

/** Who the server runs as: PostgreSQL refuses to run as root. */
interface User {
  uid?: number;
  gid?: number;
}

function serverUser(): User {
  if (process.getuid?.() !== 0) return {};
  const idOf = (option: string, name: string) =>
    Number(execFileSync('id', [option, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: idOf('-u', name), gid: idOf('-g', name) };
    } catch {
      // No such user here: the next one.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody');
}

/** A PostgreSQL server of its own for a test, on a free port of loopback, in a folder that goes with it. */
export class TestPostgres {
  readonly port: number;
  readonly #folder: string;
  readonly #programs: string;
  readonly #user: User;
  #server: ChildProcess | undefined;
  #databases = 0;
  /** Where a test run ends without having closed the server. */
  readonly #atExit = () => {
    this.#server?.kill('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  private constructor(port: number, folder: string, programs: string, user: User) {
    this.port = port;
    this.#folder = folder;
    this.#programs = programs;
    this.#user = user;
    process.once('exit', this.#atExit);
  }

  /** @throws Error where PostgreSQL is not installed */
  static async start(): Promise<TestPostgres> {
    const programs = postgresPrograms();
    if (programs === undefined) throw new Error('PostgreSQL is not installed');
    const user = serverUser();
    const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid as number);
    const server = new TestPostgres(await freeTcpPort(), folder, programs, user);
    try {
      const options = ['--username=gateway', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
      execFileSync(join(programs, 'initdb'), ['-D', folder, ...options], {
        ...user,
        cwd: folder,
        stdio: 'pipe',
      });
      await server.resume();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Makes an empty database. @returns its url */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`;
    await this.query(`create database ${name}`);
    return this.#url(name);
  }

  /** Asks the server itself, beside whatever the tested code does. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever the server answered
  async query(sql: string, database = this.#url('postgres')): Promise<any[]> {
    const client = new pg.Client({ connectionString: database, connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** The server is gone, and every connection with it: as after a crash. What was committed stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    // SIGQUIT is its immediate shutdown.
    if (server.exitCode === null && server.kill('SIGQUIT')) await once(server, 'exit');
  }

  /** The server is back, on its port. */
  async resume(): Promise<void> {
    const { uid, gid } = this.#user;
    const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${this.#folder}`, 'fsync=off'];
    const args = ['-D', this.#folder, '-p', String(this.port), ...settings.flatMap((one) => ['-c', one])];
    const server = spawn(join(this.#programs, 'postgres'), args, {
      ...(uid !== undefined && { uid, gid }),
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#server = server;
    let said = '';
    server.stderr.on('data', (data: Buffer) => {
      said = (said + data).slice(-4000);
    });
    for (;;) {
      try {
        await this.query('select 1');
        return;
      } catch (error) {
        if (server.exitCode !== null) throw new Error(`PostgreSQL did not start: ${said}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async close(): Promise<void> {
    await this.stop();
    process.off('exit', this.#atExit);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #url(database: string): string {
    return `postgres://gateway@127.0.0.1:${this.port}/${database}`;
  }
}
