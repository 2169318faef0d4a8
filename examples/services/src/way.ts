/** The names of the ways to change a price; `changing.ts` has them. */
export const ways = ["guarded", "unguarded", "set"] as const
export type Way = (typeof ways)[number]
