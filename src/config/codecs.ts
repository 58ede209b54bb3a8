import { z } from 'zod';
import { allowed } from './values.ts';

/** The codecs that a call can speak, by their names in SDP. */
export const codecNames = ['PCMU', 'PCMA', 'G722', 'opus'] as const;
export type CodecName = (typeof codecNames)[number];

/** A trunk's list of what its calls may speak, the most wanted first; the same in the configuration file and over REST. */
export const codecList = z
  .array(allowed(z.enum(codecNames), `one of ${codecNames.join(', ')}`))
  .min(1)
  .refine((list) => new Set(list).size === list.length, 'must name each codec once');
