import type { FakePipeline } from './fake-pipeline.ts';
import { eventually, TestGateway } from './gateway.ts';
import type { PhoneCall } from './phone-call.ts';
import type { HeardPacket } from './rtp-packet.ts';
import type { TestPhone, TestPhoneOptions } from './test-phone.ts';
import { spoken, tone, voices, voicesSince } from './tones.ts';

type Role = keyof typeof spoken;
/** A phone's call, or a client of a stream. */
export interface Hearer {
  readonly media: {
    readonly heard: readonly HeardPacket[];
    play(samples: Int16Array): unknown;
    stop(): void;
  };
}

interface CallWishes {
  named?: boolean | 'header';
  phone?: string;
  speaks?: boolean;
}

/** What a party says, for as long as nobody stops it. */
export const speech = { customer: tone(spoken.customer, 60_000), agent: tone(spoken.agent, 60_000) };

/** A gateway at a fake pipeline, and the phones of a test, each of which says one tone from its answer on. */
export class TwoParties<Pipeline extends { close(): Promise<unknown> } = FakePipeline> {
  readonly gateway: TestGateway;
  readonly pipeline: Pipeline;
  readonly #phones = new Map<string, TestPhone>();

  constructor(gateway: TestGateway, pipeline: Pipeline) {
    this.gateway = gateway;
    this.pipeline = pipeline;
  }

  static async start(
    pipeline: FakePipeline,
    settings: Record<string, Record<string, unknown>> = {},
  ): Promise<TwoParties> {
    const all = { ...settings, pipeline: { url: pipeline.url, ...settings.pipeline } };
    return new TwoParties(await TestGateway.start({ settings: all }), pipeline);
  }

  /** The phone of that name, which also stands in its From; made when it is first asked for, with these options. */
  async phone(name: string, options: TestPhoneOptions = {}): Promise<TestPhone> {
    const phone = this.#phones.get(name) ?? (await this.gateway.phone(options));
    this.#phones.set(name, phone);
    return phone;
  }

  /**
   * @param options.named whether the call says its role: in the Request-URI, or in a header
   * @param options.phone whose call it is; the role's own otherwise
   * @param options.speaks whether the party is there to speak and hear; else it is on hold from the start
   */
  async call(
    session: string,
    role: Role,
    { named = true, phone = role, speaks = true }: CallWishes = {},
  ): Promise<PhoneCall> {
    const caller = await this.phone(phone);
    const uri = this.gateway.uri(session, {
      transport: caller.client.transport.name,
      ...(named === true && { role }),
    });
    const inactive = (offer: string) => offer.replace('a=sendrecv', 'a=inactive');
    const call = await caller.call(uri, {
      from: phone,
      ...(named === 'header' && { headers: { 'X-Kallglot-Role': role } }),
      ...(!speaks && { sdp: inactive }),
    });
    if (call.status === 200 && speaks) void call.media.play(speech[role]);
    return call;
  }

  /** Waits until a party hears these voices and no others, for 100 ms. */
  async hears(call: Hearer, ...expected: string[]): Promise<void> {
    const { media } = call;
    const wanted = `${expected}`;
    const from = media.heard.length;
    try {
      await eventually(`hears "${wanted}"`, () => `${voices(media.heard)}` === wanted);
    } catch (error) {
      throw new Error(`${(error as Error).message}; heard meanwhile: "${voicesSince(media.heard, from)}"`);
    }
  }

  /** What `GET /v1/sessions/{id}` shows. */
  async translation(session: string): Promise<string | undefined> {
    return (await this.gateway.rest('GET', `/v1/sessions/${session}`)).body.translation;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#phones.values()].map((phone) => phone.stop()));
    await this.gateway.stop();
    await this.pipeline.close();
  }
}
