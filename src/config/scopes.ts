/** What an API key may be allowed to do (contract §2). */
export const scopes = [
  'sessions:read',
  'sessions:write',
  'telephony:read',
  'telephony:write',
  'webhooks:manage',
] as const;
export type Scope = (typeof scopes)[number];
