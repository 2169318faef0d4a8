/** Replaces lone surrogates in tags: they have no UTF-8, and tiers would store them differently. */
export const wellFormed = (tags: Iterable<string>): ReadonlyArray<string> => {
  // A copy: the caller may change its array.
  const copy = [...tags]
  for (let i = 0; i < copy.length; i += 1) {
    const tag: unknown = copy[i]
    if (typeof tag !== "string" || !tag.isWellFormed()) copy[i] = String(tag).toWellFormed()
  }
  return copy
}
