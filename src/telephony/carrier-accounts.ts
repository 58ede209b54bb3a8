import type { Carrier } from '../providers.ts';
import type { NumberRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { isSignedByTelnyx, isSignedByTwilio, type SignedWebhook } from './carrier-signature.ts';
import type { CarrierCredentials } from './carriers.ts';
import type { ConnectionRow } from './connections.ts';

/** A carrier's request that tells of a call, and what it says of the account that it comes from. */
export interface CallWebhook extends SignedWebhook {
  carrier: Carrier;
  /** Of a Twilio account `AC…`; not to be believed before the signature is. */
  accountSid: string;
  /** The connection that the address names, if it names one. */
  connectionId: string | undefined;
}

/** Whose account a webhook is signed with: an organization's own, or the operator's, whose numbers are managed. */
export type CarrierAccount = { connection: ConnectionRow } | { connection: undefined };

export interface CarrierAccountsOptions {
  store: Store;
  /** @throws Error when the credentials cannot be opened */
  open: (connection: ConnectionRow) => CarrierCredentials;
  /** Of the operator's own accounts, which the managed numbers belong to. */
  operator: { twilioAuthToken: string | undefined; telnyxPublicKey: string | undefined };
  now: () => number;
}

/** Organizations may share an account; beyond so many of them, the connection has to be named in the address. */
const MOST_CANDIDATES = 10;

/** Finds whose account at a carrier a webhook comes from. */
export class CarrierAccounts {
  readonly #options: CarrierAccountsOptions;

  constructor(options: CarrierAccountsOptions) {
    this.#options = options;
  }

  /** @returns undefined when none of the accounts that it may come from has signed it */
  async identify(webhook: CallWebhook): Promise<CarrierAccount | undefined> {
    const { twilioAuthToken, telnyxPublicKey } = this.#options.operator;
    const own = webhook.carrier === 'twilio' ? twilioAuthToken : telnyxPublicKey;
    const connections = await this.#candidates(webhook);
    const candidates = connections.map((connection) => ({ connection, secret: this.#secretOf(connection) }));
    return [...candidates, { connection: undefined, secret: own }].find(
      ({ secret }) => secret !== undefined && this.#isSigned(webhook, secret),
    );
  }

  /** The organization's number that was called, if it is the organization's to use. */
  managedNumber(phoneNumber: string, carrier: CallWebhook['carrier']): Promise<NumberRow | undefined> {
    return this.#options.store.db
      .selectFrom('numbers')
      .selectAll()
      .where('phone_number', '=', phoneNumber)
      .where('carrier', '=', carrier)
      .where('active', '=', 1)
      .executeTakeFirst();
  }

  #candidates({ carrier, accountSid, connectionId }: CallWebhook): Promise<ConnectionRow[]> {
    const ofCarrier = this.#options.store.db
      .selectFrom('connections')
      .selectAll()
      .where('provider', '=', carrier)
      .where('active', '=', 1)
      .where('status', '!=', 'rejected');
    const named =
      connectionId === undefined
        ? ofCarrier.where('account', '=', accountSid)
        : ofCarrier.where('id', '=', connectionId);
    return named.orderBy('id').limit(MOST_CANDIDATES).execute();
  }

  #secretOf(connection: ConnectionRow): string | undefined {
    if (connection.provider === 'telnyx') return connection.public_key ?? undefined;
    try {
      const credentials = this.#options.open(connection);
      return credentials.provider === 'twilio' ? credentials.auth_token : undefined;
    } catch {
      // Sealed with a key that is gone: the connection shows so when it is verified.
      return undefined;
    }
  }

  #isSigned(webhook: CallWebhook, secret: string): boolean {
    return webhook.carrier === 'twilio'
      ? isSignedByTwilio(webhook, secret)
      : isSignedByTelnyx(webhook, secret, this.#options.now());
  }
}
