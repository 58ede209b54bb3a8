import type { SipMessage } from './message.ts';

/** Something that happened on the SIP side, for the application (protocol page §4a). */
export interface AppEvent {
  /** `application` for what the engine did by itself. */
  source: 'network' | 'application';
  /** Empty for every ACK. */
  protocol: string;
  /** Empty, with port 0, for a response that the engine made itself. */
  address: string;
  port: number;
  transactionId: string;
  /** Empty outside a dialog. */
  dialogId: string;
  /** Only for a new request outside a dialog: the local address it came in on. */
  receivedOn?: { address: string; port: number };
  message: SipMessage;
}

/** One connected application. */
export interface AppLink {
  deliver(event: AppEvent): void;
}

/** What the application says a request is about; empty where it says nothing (protocol page §2). */
export interface RequestScope {
  /** Of the INVITE that a CANCEL is for. */
  transactionId: string;
  dialogId: string;
  /** URI of the next hop, for a request outside a dialog. */
  proxy: string;
}

/** What a message of the application became: as sent, for the echo; or why it was not. */
export type Outcome =
  | {
      sent: SipMessage;
      protocol: string;
      address: string;
      port: number;
      transactionId: string;
      /** Absent in the echo of a request. */
      dialogId?: string;
      /** Puts the message on the wire; called after the application was told that it was sent. */
      transmit(): void;
    }
  | { refused: string };
