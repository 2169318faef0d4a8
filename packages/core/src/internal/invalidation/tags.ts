/** Tags as all tiers can store them: a lone surrogate has no UTF-8, and would be another tag in each place. */
export const wellFormed = (tags: Iterable<string>): ReadonlyArray<string> => {
  // A copy: who gave them may change them.
  const copy = [...tags]
  for (let i = 0; i < copy.length; i += 1) {
    const tag: unknown = copy[i]
    if (typeof tag !== "string" || !tag.isWellFormed()) copy[i] = String(tag).toWellFormed()
  }
  return copy
}
