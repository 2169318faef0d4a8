/** Seeded sampling. */

/** Numbers in [0, 1) (mulberry32). */
const generator = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

/** `size` random items, equally likely, in the order of `items`; all when there are no more. */
export const sample = <A>(
  items: ReadonlyArray<A>,
  size: number,
  seed: number,
): ReadonlyArray<A> => {
  const random = generator(seed)
  let wanted = Math.min(size, items.length)
  // Selection sampling: takes each item with probability (still wanted) / (still left).
  return items.filter((_, index) => {
    const isTaken = random() * (items.length - index) < wanted
    if (isTaken) wanted -= 1
    return isTaken
  })
}
