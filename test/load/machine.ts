import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { EchoLanguage } from './echo-pipeline.ts';

/**
 * What a table of figures begins with: the command and the machine.
 * @param command without its options
 * @param echo of the echo pipeline, where the whole command uses one
 */
export function describeMachine(command = 'npm run load --', echo?: EchoLanguage): string {
  const load = loadavg().map((value) => value.toFixed(1));
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `Command: ${[command, ...process.argv.slice(2)].join(' ')}`,
    `Machine: ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${gib} GiB, ${process.platform} ${release()}, Node ${process.version}, shared with the generator and the echo pipeline; load average before: ${load.join(' ')}`,
    ...(echo === undefined ? [] : [`echo pipeline: ${echo}`]),
    '',
  ].join('\n');
}
