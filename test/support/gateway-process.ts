import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

const root = join(import.meta.dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** Node's options as `npm start` gives them. */
const startOptions: string[] = scripts.start.split(' ').filter((word: string) => word.startsWith('--'));

export interface GatewayProcessOptions {
  /** `npm` starts it as an operator does; `node` as the image does. */
  by: 'npm' | 'node';
  settings: Record<string, unknown>;
  /** More options for node, with `by: 'node'`. */
  nodeOptions?: string[];
  /** Environment variables beside our own. */
  environment?: Record<string, string>;
  /** A folder that is there already, with its store; the test's end removes it. */
  folder?: string;
}

/** The gateway as a process of its own, started from a configuration file. */
export class GatewayProcess {
  readonly child: ChildProcess;
  readonly folder: string;
  stdout = '';
  stderr = '';
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(child: ChildProcess, folder: string) {
    this.child = child;
    this.folder = folder;
    child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data;
    });
    child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data;
    });
    this.exited = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Does not wait for anything: `ready` does. */
  static start({
    by,
    settings,
    nodeOptions = [],
    environment,
    folder: place,
  }: GatewayProcessOptions): GatewayProcess {
    const folder = place ?? mkdtempSync(join(tmpdir(), 'gateway-process-'));
    const file = join(folder, 'gateway.yaml');
    // A test that ends does not wait for its calls to end.
    const standard = { store: { url: `sqlite:${join(folder, 'test.db')}` }, shutdown: { drain_seconds: 0 } };
    writeFileSync(file, stringify({ ...standard, ...settings }));
    const [command, args] =
      by === 'npm'
        ? ['npm', ['start', '--', '--config', file]]
        : [process.execPath, [...startOptions, ...nodeOptions, join(root, 'src/main.ts'), '--config', file]];
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    return new GatewayProcess(child, folder);
  }

  /** Resolves with the log line that says where it listens. @throws Error with what it wrote, when it ends before */
  async ready(): Promise<{ api: string; sip: string[] }> {
    for (;;) {
      const line = this.stdout.split('\n').find((one) => one.includes('the gateway takes calls'));
      if (line) return JSON.parse(line);
      if (this.child.exitCode !== null) throw new Error(`the gateway ended: ${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
