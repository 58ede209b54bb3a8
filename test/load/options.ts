import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** What a run of the load test does. */
export interface LoadOptions {
  /** How many calls to hold, a step each. */
  calls: number[];
  seconds: number;
  warmUpSeconds: number;
  /** Set-ups per second; 0 leaves them out. */
  setUps: number;
  setUpSeconds: number;
  /** For the gateway's node. */
  nodeOptions: string[];
}

/** A wrong option; its message says what is allowed. */
export class OptionError extends Error {}

/** What every measurement takes: a short run, and options for the gateway's node (repeatable). */
export const commonOptions = {
  quick: { type: 'boolean', default: false },
  'node-option': { type: 'string', multiple: true, default: [] },
} satisfies ParseArgsOptionsConfig;

const full = { calls: '50,200,500', seconds: '20', setups: '150', 'setup-seconds': '60' };
const quick = { calls: '50', seconds: '8', setups: '50', 'setup-seconds': '8' };

/**
 * Reads the command line: `--calls 50,200,500 --seconds 20 --setups 150 --setup-seconds 60`, `--quick` for a short
 * run, `--node-option=--cpu-prof` (repeatable) for the gateway's node.
 * @throws OptionError, or parseArgs' TypeError for an option that is not known
 */
export function readOptions(args: string[]): LoadOptions {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string' },
      seconds: { type: 'string' },
      setups: { type: 'string' },
      'setup-seconds': { type: 'string' },
      ...commonOptions,
    },
  });
  const text = { ...(values.quick ? quick : full), ...values };
  return {
    calls: text.calls === '0' ? [] : text.calls.split(',').map((one) => wholeNumber('calls', one, 1, 2000)),
    seconds: wholeNumber('seconds', text.seconds, 1, 600),
    warmUpSeconds: values.quick ? 3 : 5,
    setUps: wholeNumber('setups', text.setups, 0, 1000),
    setUpSeconds: wholeNumber('setup-seconds', text['setup-seconds'], 1, 600),
    nodeOptions: values['node-option'],
  };
}

/** @throws OptionError */
export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most && text.trim() !== '') return value;
  throw new OptionError(
    `--${name}: found ${JSON.stringify(text)}; allowed: a whole number from ${least} to ${most}`,
  );
}
