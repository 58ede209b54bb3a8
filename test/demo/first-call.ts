import type { Gateway } from '../../src/gateway.ts';
import { encode } from '../support/g711.ts';
import { compareHeard } from '../support/heard.ts';
import { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';
import { createSession, sipTarget } from './rest.ts';

/** What has to come back of the speech for the call to count as heard. */
const HEARD_LEAST = 0.9;
/** Time for the last audio to come back, ms. */
const TAIL_MS = 1000;

/**
 * Makes a session, calls it with the built-in phone, speaks, listens, hangs up, and tells each step in plain words.
 * @returns whether the speech came back
 */
export async function firstCall(
  gateway: Gateway,
  apiKey: string,
  say: (text: string) => void,
): Promise<boolean> {
  say(`The gateway is up: REST at ${gateway.apiUrl}, SIP at ${gateway.hostports.join(' and ')}.`);
  const session = await createSession(gateway, apiKey);
  say(`POST /v1/sessions made the session ${session.id}.`);
  const uri = sipTarget(gateway, session.id);
  say(`A PBX calls it at ${session.sip.uri}; here that is ${uri}.`);

  const { host } = new URL(gateway.apiUrl);
  const phone = new TestPhone({
    host: host.slice(0, host.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1'),
    username: 'demo',
    password: 'demo-password',
  });
  await phone.start();
  try {
    return await talk(phone, uri, say);
  } finally {
    await phone.stop();
  }
}

async function talk(phone: TestPhone, uri: string, say: (text: string) => void): Promise<boolean> {
  const call = await phone.call(uri);
  if (call.status !== 200) {
    say(`The call was refused: ${call.status} ${call.reason}.`);
    return false;
  }
  const codec = call.answerSdp.match(/a=rtpmap:\d+ (\S+)/)?.[1] ?? 'unknown';
  say(
    `The phone called, gave its password, and was answered after ${Math.round(call.answeredAfterMs ?? 0)} ms with ${codec}.`,
  );
  const speech = readWav(speechFile);
  const { startedAt } = await call.media.play(speech);
  await new Promise((resolve) => setTimeout(resolve, TAIL_MS));
  const report = compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
  await call.bye();
  say(`It spoke for ${(speech.length / 8000).toFixed(1)} s, through the pipeline and back, and hung up.`);
  say(`RTP packets: ${call.media.counters.sent} to the gateway, ${call.media.heard.length} back.`);
  const percent = Math.round(report.speechMatched * 100);
  const words = report.exact ? 'every sample of the speech, unchanged' : `${percent} % of the speech`;
  say(
    `Heard back: ${report.secondsHeard.toFixed(1)} s of audio, in it ${words}, ${Math.round(report.delayMs)} ms later.`,
  );
  return report.speechMatched >= HEARD_LEAST;
}
