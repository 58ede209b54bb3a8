import Srf from 'drachtio-srf';

const { SipMessage } = Srf as unknown as { SipMessage: new (text: string) => { readonly type: string } };

/**
 * Whether drachtio-srf can read a SIP message. What it cannot read it prints on standard error as it came, past the log
 * and its mask, with whatever numbers and credentials are in it.
 */
export function isReadable(message: string): boolean {
  try {
    return new SipMessage(message).type !== 'unknown';
  } catch {
    return false;
  }
}
