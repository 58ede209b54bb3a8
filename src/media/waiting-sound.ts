/** What a party hears while it is alone and the pipeline says nothing; `session.waiting`. */
export type WaitingSound =
  | { readonly kind: 'silence' }
  /** `onMs` of a tone, `offMs` of silence, and again; the level is of full scale (0 dB), and so below 0. */
  | {
      readonly kind: 'tone';
      readonly hz: number;
      readonly levelDb: number;
      readonly onMs: number;
      readonly offMs: number;
    }
  /** Int16 samples at 8 kHz, over and over; one block for all legs that hear it. */
  | { readonly kind: 'loop'; readonly samples: SharedArrayBuffer };
