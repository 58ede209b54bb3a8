import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RtpProgram } from './rtp-program.ts';

/** What the echo pipeline is written in: it is a process of its own, so that its work does not count as the gateway's. */
export type EchoLanguage = 'C' | 'TypeScript';

export interface EchoPipeline {
  /** With `{session_id}` and `{token}` to be filled in. */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** By `echo-pipeline`. @param program its path */
export async function startEchoInC(program: string): Promise<EchoPipeline> {
  const echo = await RtpProgram.start(program, []);
  const url = `ws://127.0.0.1:${echo.ports[0]}/v1/sessions/{session_id}/connect?token={token}`;
  return { url, pid: echo.pid, stop: () => echo.stop() };
}

/** By the gateway's embedded pipeline. */
export async function startEchoInTypeScript(tokenSecret: string): Promise<EchoPipeline> {
  const child = fork(join(import.meta.dirname, 'pipeline-process.ts'), [tokenSecret], { execArgv: [] });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill();
    await exited;
  };
  return { url, pid: child.pid as number, stop };
}
