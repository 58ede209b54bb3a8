import { type EndReason, ends, Refusal } from '../errors.ts';

/** Why a set-up stopped: its leg has ended meanwhile. */
export class Ended extends Error {
  readonly reason: EndReason;

  constructor(reason: EndReason) {
    super(ends[reason].text);
    this.name = 'Ended';
    this.reason = reason;
  }

  /** What the INVITE is answered, or undefined when the engine has answered it already (CANCEL) or is gone. */
  asRefusal(): Refusal | undefined {
    if (this.reason === 'canceled' || this.reason === 'engine_lost') return undefined;
    if (this.reason === 'hangup') return new Refusal('declined');
    if (this.reason === 'session_ended') return new Refusal('session_ended');
    if (this.reason === 'drained') return new Refusal('draining');
    if (this.reason === 'pipeline_failed') return new Refusal('pipeline_unavailable');
    return new Refusal('internal_error');
  }
}
