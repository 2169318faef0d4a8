/** A broken rule, with the lines that show it. */
import type { Line } from "../history/Line.ts"

export type RuleName =
  | "stale given as fresh"
  | "fresh although it was told"
  | "fresh although nothing was in the way"
  | "gap not noticed"
  | "overtaken on its own node"
  | "given after it was replaced"
  | "settled although earlier changes wait"
  | "lived too long"
  | "settled set lost"
  | "settled set lost to its own node's missed change"
  | "settled set lost to another node's missed change"
  | "settled set covered by an older mark"
  | "queued set lost"
  | "hangs"
  | "waits although there is room"
  | "error instead of stale"
  | "refresh gave an older value"
  | "defect"
  | "unhandled"
  | "value from nowhere"
  | "not recovered"
  | "nodes disagree"
  | "update lost"
  | "update applied twice"
  | "unharmed keys not served"

export interface Violation {
  readonly rule: RuleName
  readonly larder: string
  readonly key: string | undefined
  readonly at: number
  readonly text: string
  /** The subject, such as a change and a value: all sightings of one subject are one violation. */
  readonly about: string
  readonly lines: ReadonlyArray<Line>
}

/** The first violation of each subject, in the order of sighting. */
export const distinct = (violations: ReadonlyArray<Violation>): ReadonlyArray<Violation> => {
  const first = new Map<string, Violation>()
  for (const violation of violations.toSorted((a, b) => a.at - b.at)) {
    const { about, key, larder, rule } = violation
    const name = [rule, larder, key, about].join("\n")
    if (!first.has(name)) first.set(name, violation)
  }
  return [...first.values()]
}
