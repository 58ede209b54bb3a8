import { OptionError } from './options.ts';

/** What the commands of `npm run load` have in common: a signal stops them, and what was wrong with an option takes a line. */

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)));

/** Aborted when the command is to end early. */
export const stopping = controller.signal;

/** Tells how far it is, beside the tables. */
export const progress = (text: string) => process.stderr.write(`${text}\n`);

/** Does what the command line asks for; exit code 1 when that fails. */
export async function runCommand<Options>(
  readOptions: (args: string[]) => Options | Promise<Options>,
  main: (options: Options) => Promise<void>,
): Promise<void> {
  try {
    await main(await readOptions(process.argv.slice(2)));
  } catch (error) {
    const { code = '', message, stack } = error as NodeJS.ErrnoException;
    const isOurs = !(error instanceof OptionError) && !code.startsWith('ERR_PARSE_ARGS');
    progress(isOurs && stack !== undefined && !stopping.aborted ? stack : message);
    process.exit(1);
  }
}
