import { z } from 'zod';

/** What the beginnings of both carriers' streams are made of. */

/** A carrier's id of something. */
export const word = z.string().min(1).max(200);
/** What is too long, or no text, is as good as absent. */
export const parameter = z.string().max(2000).optional().catch(undefined);
/** Given with the stream in TwiML and TeXML, as `<Parameter>`. */
export const parameters = z.object({
  ...{ token: parameter, session_id: parameter, role: parameter },
  ...{ from: parameter, to: parameter },
});
