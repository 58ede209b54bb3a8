import { decode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** How long the translation may go on after the speech, ms. */
const TAIL_MS = 8000;
/** A sample that is louder than this is a voice and no noise. */
const LOUD = 1000;
/** So much of it is a word at least. */
const WORD_SAMPLES = 800;
const ADMIN_KEY = 'admin-key-of-the-demo';
const TRANSCRIPTION_MODEL = 'gpt-realtime-whisper';

/**
 * A customer who speaks English and an agent who is to hear German, in a session whose pipeline is OpenAI, told step by step.
 * @param url in place of OpenAI's own address
 * @returns whether the agent heard a voice
 */
export async function openaiCall(say: (text: string) => void, url?: string): Promise<boolean> {
  say(
    `The pipeline is OpenAI's real-time translation at ${url ?? 'api.openai.com'}, with the key in OPENAI_API_KEY.`,
  );
  const openai = { transcription_model: TRANSCRIPTION_MODEL };
  const gateway = await TestGateway.start({
    settings: {
      pipeline: { dialect: 'openai', url, on_failure: 'hangup', openai },
      api: { admin_key: ADMIN_KEY },
    },
  });
  const phones = [await gateway.phone(), await gateway.phone()];
  try {
    const session = await gateway.session({ source_language: 'en', target_language: 'de' });
    const [customer, agent] = await Promise.all([
      phones[0]!.call(gateway.uri(session, { role: 'customer' })),
      phones[1]!.call(gateway.uri(session, { role: 'agent' })),
    ]);
    const refused = [customer, agent].find(({ status }) => status !== 200);
    if (refused !== undefined) {
      const { body } = await gateway.rest('GET', '/v1/admin/refusals', undefined, ADMIN_KEY);
      say(
        `A call was refused: ${refused.status} ${refused.reason}: ${body.data[0]?.detail ?? 'no reason given'}.`,
      );
      return false;
    }
    return await interpret(gateway, session, { customer, agent }, say);
  } finally {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  }
}

async function interpret(
  gateway: TestGateway,
  session: string,
  { customer, agent }: { customer: PhoneCall; agent: PhoneCall },
  say: (text: string) => void,
): Promise<boolean> {
  const speech = readWav(speechFile);
  say(
    `Both called session ${session}. The customer speaks English for ${(speech.length / 8000).toFixed(1)} s …`,
  );
  await customer.media.play(speech);
  const heard = await eventually('a voice', () => loudSamples(agent) >= WORD_SAMPLES, TAIL_MS).then(
    () => true,
    () => false,
  );
  // The rest of the sentence.
  if (heard) await new Promise((resolve) => setTimeout(resolve, TAIL_MS / 4));
  say(
    heard
      ? `The agent heard ${(loudSamples(agent) / 8000).toFixed(1)} s of a voice.`
      : `The agent heard nothing within ${TAIL_MS / 1000} s.`,
  );
  await Promise.all([customer.bye(), agent.bye()]);
  await gateway.rest('POST', `/v1/sessions/${session}/end`);
  const { turns = [] } = (await gateway.rest('GET', `/v1/sessions/${session}/transcript`)).body;
  for (const { text, translation } of turns) say(`“${text}” was translated as “${translation?.text ?? ''}”.`);
  return heard;
}

const loudSamples = ({ media }: PhoneCall): number =>
  media.heard.reduce(
    (sum, { payload }) => sum + decode('PCMU', payload).filter((sample) => Math.abs(sample) > LOUD).length,
    0,
  );
