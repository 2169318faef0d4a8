/** Tags as all tiers can store them: a lone surrogate has no UTF-8, and would be another tag in each place. */
export const wellFormed = (tags: Iterable<string>): ReadonlyArray<string> =>
  Array.from(tags, (tag) => String(tag).toWellFormed())
