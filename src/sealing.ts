import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/**
 * Keeps secrets of others unreadable in the store: AES-256-GCM, `v1.<nonce>.<tag>.<ciphertext>` in base64url. The key is
 * SHA-256 of the text that it is made from; the context (a row's id) is authenticated, so that a sealed text cannot be
 * moved to another row.
 */
export class Sealer {
  readonly #key: Buffer;
  /** All that may have sealed what is to be opened, the present one first. */
  readonly #keys: readonly Buffer[];

  /** @param formerKeyTexts what may have sealed earlier texts; nothing new is sealed with them */
  constructor(keyText: string, ...formerKeyTexts: string[]) {
    this.#keys = [keyText, ...formerKeyTexts].map((text) => createHash('sha256').update(text).digest());
    this.#key = this.#keys[0] as Buffer;
  }

  seal(text: string, context: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return ['v1', ...[nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join(
      '.',
    );
  }

  /** @throws Error when the text was sealed with another key, for another row, or changed since */
  open(sealed: string, context: string): string {
    const [version, ...parts] = sealed.split('.');
    const [nonce, tag, text] = parts.map((part) => Buffer.from(part, 'base64url'));
    if (version !== 'v1' || !nonce || !tag || !text) throw new Error('this is no sealed text');
    for (const key of this.#keys) {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce);
      decipher.setAAD(Buffer.from(context)).setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
      } catch {
        // Not this key's.
      }
    }
    throw new Error('the text was sealed with another key, for another row, or changed since');
  }
}
