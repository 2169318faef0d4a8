/** Zipf's law: the second most popular key is asked half as often as the first, the third a third as often. */
import type { Random } from "../random.ts"

/** Draws indices from 0 to `count - 1`. */
export const zipf = (random: Random, count: number): (() => number) => {
  let sum = 0
  const sums = Array.from({ length: count }, (_, index) => (sum += 1 / (index + 1)))
  return () => {
    const drawn = random.next() * sum
    return sums.findIndex((upTo) => drawn < upTo)
  }
}
