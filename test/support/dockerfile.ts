import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** One stage of `docker/Dockerfile`: its instructions in their order, continued lines joined. */
type Stage = { instruction: string; value: string }[];

/** The stages; the last is the image. */
export function dockerfileStages(): Stage[] {
  const text = readFileSync(join(root, 'docker/Dockerfile'), 'utf8').replace(/\\\n\s*/g, '');
  const stages: Stage[] = [];
  for (const line of text.split('\n')) {
    const [, instruction = '', value = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (instruction === 'FROM') stages.push([]);
    if (instruction !== '') stages.at(-1)?.push({ instruction, value });
  }
  return stages;
}

/** What the image says with an instruction, such as `USER`. */
export const imageSays = (instruction: string): string[] =>
  (dockerfileStages().at(-1) ?? [])
    .filter((one) => one.instruction === instruction)
    .map(({ value }) => value);

/** A command in its exec form, `CMD ["node", …]`. @throws Error when it goes by a shell */
export const execForm = (value: string): string[] => JSON.parse(value.slice(value.indexOf('[')));
