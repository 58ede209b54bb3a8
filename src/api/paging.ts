import { z } from 'zod';

/** Lists that are too long to be given whole (contract §1), newest first; cursors are ids. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  starting_after: z.string().max(100).optional(),
  ending_before: z.string().max(100).optional(),
});

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ object: z.literal('list'), data: z.array(item), has_more: z.boolean(), url: z.string() });

/** What a query asks of the room that keeps the list. */
export const wantedPage = ({ limit, starting_after, ending_before }: z.infer<typeof pageQuery>) => ({
  limit,
  startingAfter: starting_after,
  endingBefore: ending_before,
});
