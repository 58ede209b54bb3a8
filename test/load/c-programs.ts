import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const sources = ['rtp-generator', 'rtp-echo', 'echo-pipeline'] as const;

/** The programs in C beside this file, compiled on the spot into a temporary folder. */
export class CPrograms {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @returns undefined where there is no compiler, or none that can compile them: they are for Linux */
  static compile(): CPrograms | undefined {
    const programs = new CPrograms(mkdtempSync(join(tmpdir(), 'load-programs-')));
    for (const name of sources) {
      const source = join(import.meta.dirname, `${name}.c`);
      const { status } = spawnSync('cc', ['-O2', '-o', programs.path(name), source], { stdio: 'ignore' });
      if (status === 0) continue;
      programs.remove();
      return undefined;
    }
    return programs;
  }

  path(name: (typeof sources)[number]): string {
    return join(this.folder, name);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
