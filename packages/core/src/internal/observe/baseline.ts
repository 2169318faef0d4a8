/** Windows on their way into a baseline. */
import { after, type Decayed } from "./decayed.ts"

export interface Measures {
  readonly hitRatio: Decayed
  readonly meanWait: Decayed
  readonly lookups: Decayed
}

/** A window that is too young to be part of the baseline. */
export interface Pending {
  readonly seconds: number
  /** Undefined where too little happened. */
  readonly values: Readonly<Record<keyof Measures, number | undefined>>
}

const fed = (measures: Measures, { seconds, values }: Pending, window: number): Measures => ({
  hitRatio: after(measures.hitRatio, values.hitRatio, seconds, window),
  meanWait: after(measures.meanWait, values.meanWait, seconds, window),
  lookups: after(measures.lookups, values.lookups, seconds, window),
})

/** The measures after all windows that have become older than the offset, and those that have not. */
export const settled = (
  measures: Measures,
  pending: ReadonlyArray<Pending>,
  { offset, window }: { readonly offset: number; readonly window: number },
): { readonly measures: Measures; readonly pending: ReadonlyArray<Pending> } => {
  // The age of a window is the length of those after it.
  let age = pending.reduce((sum, { seconds }) => sum + seconds, 0)
  let next = measures
  let old = 0
  for (const each of pending) {
    age -= each.seconds
    if (age < offset) break
    next = fed(next, each, window)
    old += 1
  }
  return { measures: next, pending: pending.slice(old) }
}
