import { bodyTargets } from './body-targets.ts';
import type { Target } from './fuzz.ts';
import { pipelineTargets } from './pipeline-targets.ts';
import { sipTargets } from './sip-targets.ts';
import { streamTargets } from './stream-targets.ts';
import { webTargets } from './web-targets.ts';
import { wireTargets } from './wire-targets.ts';

/** Everything that reads what others wrote. */
export const targets: readonly Target[] = [
  ...sipTargets,
  ...wireTargets,
  ...bodyTargets,
  ...webTargets,
  ...streamTargets,
  ...pipelineTargets,
];
