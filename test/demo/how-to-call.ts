import type { Gateway } from '../../src/gateway.ts';
import { createSession, sipTarget } from './rest.ts';

/** Says how to call the running gateway with a softphone, curl and SIPp. */
export async function printHowToCall(
  gateway: Gateway,
  apiKey: string,
  say: (text: string) => void,
): Promise<void> {
  const session = await createSession(gateway, apiKey);
  const target = sipTarget(gateway, session.id);
  const server = target.slice(target.indexOf('@') + 1);
  say(`
The gateway stays up. Now call it yourself; Ctrl-C ends it.

With a softphone (Linphone, Zoiper, baresip):
  account   username demo, password demo-password, domain or proxy ${server}, transport UDP or TCP
  call      ${target}
  You hear yourself, because the embedded pipeline returns what it hears.

With curl, another session and its state:
  curl -s ${gateway.apiUrl}/v1/sessions -H 'Authorization: Bearer ${apiKey}' \\
    -H 'Content-Type: application/json' \\
    -d '{"mode":"bidirectional_translation","routing":{"type":"sip"}}'
  curl -s ${gateway.apiUrl}/v1/sessions/${session.id} -H 'Authorization: Bearer ${apiKey}'
  curl -s -X POST ${gateway.apiUrl}/v1/sessions/${session.id}/end -H 'Authorization: Bearer ${apiKey}'
  curl -s ${gateway.apiUrl}/metrics

With SIPp, from this folder (a digest call of a few seconds):
  sipp ${server} -sf test/sipp/scenarios/uac-digest.xml -s ${session.id} -au demo -ap demo-password -m 1`);
}
