import { Agent, request } from 'undici';

/** What an organization shows its carrier. */
export type CarrierCredentials =
  | { provider: 'twilio'; account_sid: string; auth_token: string }
  | { provider: 'telnyx'; api_key: string };

/** What the carrier says to them; `detail` is in plain words and holds nothing secret. */
export interface Verdict {
  status: 'verified' | 'unverified' | 'rejected';
  detail: string | null;
}

export interface CarriersOptions {
  /** Bases of the carriers' APIs: `https://api.twilio.com`, `https://api.telnyx.com`. */
  twilioUrl: string;
  telnyxUrl: string;
  timeoutMs: number;
}

const names = { twilio: 'Twilio', telnyx: 'Telnyx' } as const;
/** Requests to one carrier at once; further ones wait in line, within their own time. */
const CONNECTIONS = 8;

/** Asks the carriers' own APIs whether credentials are good. */
export class Carriers {
  readonly #options: CarriersOptions;
  readonly #agent: Agent;

  constructor(options: CarriersOptions) {
    this.#options = options;
    this.#agent = new Agent({ connections: CONNECTIONS, connectTimeout: options.timeoutMs });
  }

  /** Reads something harmless of the account. Never throws: a carrier that does not answer leaves the question open. */
  async verify(credentials: CarrierCredentials): Promise<Verdict> {
    const name = names[credentials.provider];
    const { url, authorization } = this.#question(credentials);
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    try {
      const { statusCode, body } = await request(url, {
        dispatcher: this.#agent,
        headers: { authorization, accept: 'application/json' },
        signal,
      });
      await body.dump().catch(() => undefined);
      return verdictOf(statusCode, name);
    } catch (error) {
      const seconds = this.#options.timeoutMs / 1000;
      const why = signal.aborted ? `did not answer within ${seconds} s` : `cannot be reached${codeOf(error)}`;
      return { status: 'unverified', detail: `${name} ${why}.` };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #question(credentials: CarrierCredentials): { url: string; authorization: string } {
    const { twilioUrl, telnyxUrl } = this.#options;
    if (credentials.provider === 'telnyx')
      return { url: `${telnyxUrl}/v2/balance`, authorization: `Bearer ${credentials.api_key}` };
    const { account_sid, auth_token } = credentials;
    const basic = Buffer.from(`${account_sid}:${auth_token}`).toString('base64');
    return {
      url: `${twilioUrl}/2010-04-01/Accounts/${encodeURIComponent(account_sid)}.json`,
      authorization: `Basic ${basic}`,
    };
  }
}

function verdictOf(status: number, name: string): Verdict {
  if (status >= 200 && status < 300) return { status: 'verified', detail: null };
  const detail = `${name} answered ${status}.`;
  return { status: status === 401 || status === 403 ? 'rejected' : 'unverified', detail };
}

/** ` (ECONNREFUSED)`: a code says enough, where a message might repeat what was sent. */
function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? ` (${code})` : '';
}
