import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** What a table of figures begins with: the command and the machine. @param command without its options */
export function describeMachine(command = 'npm run load --'): string {
  const load = loadavg().map((value) => value.toFixed(1));
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `Command: ${[command, ...process.argv.slice(2)].join(' ')}`,
    `Machine: ${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${gib} GiB, ${process.platform} ${release()}, Node ${process.version}, shared with the generator and the echo pipeline; load average before: ${load.join(' ')}`,
    '',
  ].join('\n');
}
