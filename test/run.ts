import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * `npm test`: format, lint, types, dead code, and then every suite. SIPp (Debian's `sip-tester`) is installed if it is
 * missing and we may; where it cannot be had its tests are reported as skipped, and in CI that is a failure.
 */
const inCi = process.env.CI === 'true' || process.env.CI === '1';
const bin = (name: string) => join(import.meta.dirname, '..', 'node_modules', '.bin', name);

function step(title: string, command: string, args: string[]): void {
  console.log(`\n== ${title}`);
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.log(`\n${title} failed.\n0 passed, 1 failed`);
    process.exit(1);
  }
}

function has(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

/** @returns why SIPp is not here, or undefined when it is. */
function provideSipp(): string | undefined {
  if (has('sipp')) return undefined;
  if (!has('apt-get')) return 'sipp is not installed, and there is no apt-get to install it with';
  if (process.getuid?.() !== 0)
    return 'sipp is not installed, and installing it (apt-get install sip-tester) needs root';
  console.log('\n== installing sip-tester (SIPp)');
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  try {
    execFileSync('apt-get', ['update', '-q'], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'sip-tester'], options);
  } catch {
    return 'sipp is not installed, and apt-get install sip-tester failed';
  }
  return has('sipp') ? undefined : 'sip-tester was installed, but sipp is still not found';
}

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
  success: boolean;
}

function runSuites(): Report {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-tests-'));
  const file = join(folder, 'report.json');
  const config = join(import.meta.dirname, 'vitest.config.ts');
  const args = ['run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile=${file}`];
  console.log('\n== tests');
  const { status } = spawnSync(bin('vitest'), [...args, ...process.argv.slice(2)], { stdio: 'inherit' });
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
    return { ...report, success: report.success && status === 0 };
  } catch {
    return {
      numPassedTests: 0,
      numFailedTests: 1,
      numPendingTests: 0,
      numFailedTestSuites: 1,
      success: false,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

step('format and lint', bin('biome'), ['ci', '.']);
step('types', bin('tsc'), ['--noEmit']);
step('dead code', bin('knip'), []);
const noSipp = provideSipp();
const report = runSuites();
if (noSipp) console.log(`\nSIPp tests were skipped: ${noSipp}.`);
const failed =
  report.numFailedTests + (report.success || report.numFailedTests > 0 ? 0 : 1) + (noSipp && inCi ? 1 : 0);
console.log(`\n${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests} skipped`);
process.exit(failed === 0 ? 0 : 1);
