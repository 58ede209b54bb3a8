import { callOf } from '../../src/api/voice-webhook.ts';
import { Refusal } from '../../src/errors.ts';
import { isSignedByTelnyx, isSignedByTwilio } from '../../src/telephony/carrier-signature.ts';
import { documentedCall, signedByTwilio, telnyxAccount } from '../support/carrier-webhook.ts';
import { type Target, target } from './fuzz.ts';
import { formPieces, mutateBytes } from './mutate.ts';
import { pick } from './random.ts';

/** What comes to the API from those who have no key. */

const url = 'https://gateway.example/v1/carriers/twilio/voice?connection_id=pcon_1';
const forms = (['twilio', 'telnyx'] as const).map((carrier) =>
  Buffer.from(new URLSearchParams(documentedCall(carrier)).toString()),
);
const { publicKey } = telnyxAccount();

function readCall(body: Buffer): boolean {
  const fields = new URLSearchParams(body.toString());
  const webhook = { url, body, signature: body.toString('latin1'), timestamp: '1700000000' };
  if (isSignedByTwilio(webhook, 'token') || isSignedByTelnyx(webhook, publicKey, 1_700_000_000_000))
    throw new Error('a signature that nobody made was taken');
  const about = { accountSid: '', connectionId: undefined, query: new URL(url).searchParams, source: '' };
  try {
    return callOf({ ...webhook, ...about, carrier: 'twilio', fields }).callId.length <= 200;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return false;
  }
}

/** What Twilio would sign of the same form is good, whatever is in it. */
function assertSignable(body: Buffer): boolean {
  const entries = [...new URLSearchParams(body.toString())];
  const fields = Object.fromEntries(entries);
  // The signer of the tests has no names that come twice.
  if (Object.keys(fields).length !== entries.length) return false;
  const signature = signedByTwilio(url, fields, 'token').headers['x-twilio-signature'];
  if (!isSignedByTwilio({ url, body, signature, timestamp: undefined }, 'token'))
    throw new Error('a good signature was not taken');
  return true;
}

const voiceWebhook = target<boolean>({
  name: 'voice webhook',
  mutant: (random) => mutateBytes(pick(forms, random), formPieces, forms, random),
  read: readCall,
  check: (taken, body) => assertSignable(body) && taken,
});

export const webTargets: readonly Target[] = [voiceWebhook];
