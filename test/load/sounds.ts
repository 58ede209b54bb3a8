import type { Role } from '../../src/roles.ts';

/**
 * What is said in the load test of two parties: mu-law packets of one loud byte each, so that whoever hears one knows
 * whose voice it is, and whether it has been translated. The gateway hands mu-law on byte by byte.
 */
export const voices: Readonly<Record<Role, number>> = { customer: 0x2a, agent: 0x2b };
export const translations: Readonly<Record<Role, number>> = { customer: 0x3a, agent: 0x3b };
