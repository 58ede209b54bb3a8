import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresPrograms } from './support/postgres.ts';

/**
 * `npm test`: format, lint, types, dead code, and then every suite. What some tests need beside Node (SIPp, sipvicious, PostgreSQL) is
 * installed if it is missing and we may; where it cannot be had those tests are reported as skipped, and in CI that is a
 * failure. Tests that found the machine too late for a judgement are skipped as well, and named.
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

interface Program {
  name: string;
  /** Debian's package. */
  debian: string;
  isHere: () => boolean;
}

const programs: readonly Program[] = [
  { name: 'SIPp', debian: 'sip-tester', isHere: () => has('sipp') },
  { name: 'sipvicious', debian: 'sipvicious', isHere: () => has('svmap') },
  { name: 'PostgreSQL', debian: 'postgresql', isHere: () => postgresPrograms() !== undefined },
];

/** @returns why a program is not here, or undefined when it is */
function provide({ name, debian, isHere }: Program): string | undefined {
  if (isHere()) return undefined;
  if (!has('apt-get')) return `${name} is not installed, and there is no apt-get to install it with`;
  if (process.getuid?.() !== 0)
    return `${name} is not installed, and installing it (apt-get install ${debian}) needs root`;
  console.log(`\n== installing ${name} (${debian})`);
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  try {
    execFileSync('apt-get', ['update', '-q'], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', debian], options);
  } catch {
    return `${name} is not installed, and apt-get install ${debian} failed`;
  }
  return isHere() ? undefined : `${debian} was installed, but ${name} is still not found`;
}

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
  success: boolean;
  testResults: { assertionResults: { status: string; fullName: string; duration?: number }[] }[];
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
      testResults: [],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Tests that began and found that this machine stood still too often to judge: told by name, for they say nothing of the
 * gateway. What is skipped from the beginning takes no time.
 */
const skippedThemselves = ({ testResults }: Report): string[] =>
  testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status, duration }) => status === 'skipped' && duration !== undefined)
    .map(({ fullName }) => fullName);

step('format and lint', bin('biome'), ['ci', '.']);
step('types', bin('tsc'), ['--noEmit']);
step('dead code', bin('knip'), []);
const missing = programs.flatMap((program) => {
  const why = provide(program);
  return why === undefined ? [] : [{ name: program.name, why }];
});
const report = runSuites();
for (const { name, why } of missing) console.log(`\n${name} tests were skipped: ${why}.`);
const unjudged = skippedThemselves(report);
for (const name of unjudged) console.log(`\nNot judged (the reason is above): ${name}.`);
const failed =
  report.numFailedTests + (report.success || report.numFailedTests > 0 ? 0 : 1) + (inCi ? missing.length : 0);
console.log(`\n${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests} skipped`);
process.exit(failed === 0 ? 0 : 1);
