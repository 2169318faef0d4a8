/**
 * The keys of a round and their tags. Each kind of key gets only the operations that its rules can
 * judge.
 */

const numbered = (letter: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${letter}${i}`)

/** All operations, from all nodes. */
export const hot = numbered("h", 6)
/** Only `set` and `read`: no lookup fills them, so a set value is stored or lost. */
export const setOnly = numbered("s", 12)
/** Looked up once, then only read, and invalidated by one of their tags. */
export const quiet = numbered("q", 10)
/** Looked up, and removed by their prefix. */
export const prefixed = numbered("p", 6)
/** Only updates touch them, each of which adds one value to a chain. */
export const counted = numbered("c", 2)
/** The keys of one burst. */
export const burst = (node: string, from: number, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `b${node}-${from + i}`)

let asked = 0

/**
 * Keys never requested before, so that memory does not answer; enough for each master of a Cluster
 * to have some.
 */
export const unasked = (): ReadonlyArray<string> =>
  Array.from({ length: 12 }, () => `n${(asked += 1)}`)

export const isBurst = (key: string): boolean => key.startsWith("b")

/** How many missed changes are kept one by one. */
export const floodTags = 1_000

export const floodTag = (i: number): string => `f${i}`

export const hotTags = ["t0", "t1"]

export const tagsOf = (key: string): ReadonlyArray<string> => {
  const number = Number(key.slice(1))
  if (key.startsWith("h")) return [`t${number % 2}`]
  if (key.startsWith("q")) return [floodTag(100 * number + 7), floodTag(100 * number + 57)]
  return []
}
