import type { Gateway } from '../../src/gateway.ts';

export interface CreatedSession {
  id: string;
  sip: { uri: string };
}

/** `POST /v1/sessions` with SIP routing. @throws Error with what the API answered */
export async function createSession(
  gateway: Gateway,
  apiKey: string,
  wishes: Record<string, unknown> = {},
): Promise<CreatedSession> {
  const response = await fetch(`${gateway.apiUrl}/v1/sessions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      mode: 'bidirectional_translation',
      source_language: 'en',
      target_language: 'de',
      routing: { type: 'sip' },
      ...wishes,
    }),
  });
  if (response.status !== 201)
    throw new Error(`POST /v1/sessions: ${response.status} ${await response.text()}`);
  return (await response.json()) as CreatedSession;
}

/** Where the gateway's first SIP address takes the call of a session: `sip:sess_…@127.0.0.1:5060`. */
export function sipTarget(gateway: Gateway, sessionId: string, transport: 'udp' | 'tcp' = 'udp'): string {
  const hostport = gateway.hostports.find((one) => one.startsWith(`${transport}/`)) ?? '';
  return `sip:${sessionId}@${hostport.slice(transport.length + 1)}`;
}
