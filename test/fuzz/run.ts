import { parseArgs } from 'node:util';
import { engineLife } from './engine-life.ts';
import { LiveEngine } from './live.ts';
import { targets } from './targets.ts';

/**
 * `npm run fuzz`: mutants for every reader and for a running engine. `-- --seed 7 --mutants 100000 --live 10000` are its
 * settings; without a seed it takes one at random and prints it. Exit code 0 when nothing was found.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e9)}` },
    mutants: { type: 'string', default: '100000' },
    live: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
  },
});
const seed = Number(values.seed);
const mutants = Number(values.mutants);
if (!Number.isInteger(seed) || !(mutants > 0) || !(Number(values.live) > 0)) {
  console.error('usage: npm run fuzz -- [--seed n] [--mutants n] [--live n] [--only name]');
  process.exit(2);
}
console.log(`seed ${seed}`);

function report(name: string, what: string): void {
  console.log(`${name.padEnd(28)} ${what}`);
}

for (const target of targets.filter(({ name }) => name.includes(values.only))) {
  const { checked, slowestMs } = target.fuzz(seed, mutants);
  report(
    target.name,
    `${mutants} mutants, ${checked} well enough to be checked, slowest ${slowestMs.toFixed(2)} ms`,
  );
}
const heaps = engineLife(seed, mutants);
report(
  'one engine, all its life',
  `${mutants} mutants, heap ${heaps.map((mb) => mb.toFixed(1)).join(', ')} MB`,
);

const live = await LiveEngine.start();
await live.fuzz(seed, Number(values.live));
report('engine with its sockets', `${values.live} mutants, ${live.stats.faults} faults`);
report('stream cut at every byte', `${await live.split(1)} cuts`);
await live.close();
