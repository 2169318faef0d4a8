/** Seeded random numbers, and draws from them. */

/** Returns the next number in [0, 1). */
export type Random = () => number

/** A generator (mulberry32): the same seed gives the same numbers. */
export const generator = (seed: number): Random => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws numbers below `count`, `n` with a share proportional to `weight(n)`. */
export const weighted = (
  count: number,
  weight: (n: number) => number,
  random: Random,
): (() => number) => {
  const cumulative = new Float64Array(count)
  let total = 0
  for (let n = 0; n < count; n++) cumulative[n] = total += weight(n)
  return () => {
    const target = random() * total
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! > target) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Zipf's law: rank `r` has a share proportional to `1 / (r + 1) ** exponent`. */
export const zipf = (count: number, exponent: number, random: Random): (() => number) =>
  weighted(count, (rank) => (rank + 1) ** -exponent, random)

/** A copy in random order. */
export const shuffled = <A>(items: Iterable<A>, random: Random): Array<A> => {
  const copy = [...items]
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[copy[last], copy[other]] = [copy[other]!, copy[last]!]
  }
  return copy
}
