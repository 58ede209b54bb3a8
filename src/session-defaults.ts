import type { SessionMode } from './roles.ts';

/** What a session gets that a call makes: the settings of the trunk, number or connection that it came by. */
export interface SessionDefaults {
  mode?: SessionMode | undefined;
  source_language?: string | null | undefined;
  target_language?: string | null | undefined;
  mix_original_db?: number | null | undefined;
  metadata?: Readonly<Record<string, unknown>> | null | undefined;
}
