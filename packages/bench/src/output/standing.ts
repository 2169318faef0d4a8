/** Larder's rank in one variant of a case. */
import type { ContenderName } from "../contenders/registry.ts"
import type { Line, Result } from "../result.ts"

export interface Rival {
  readonly name: string
  readonly median: number
  /** Larder's median over the rival's: below 1 Larder is faster. */
  readonly ratio: number
}

export interface Standing {
  readonly result: Result
  readonly larder: Line
  readonly baseline: Rival
  /** The fastest library besides Larder, which may be the baseline; absent without one. */
  readonly peer?: Rival
  /** A bare map in a fiber, if measured. */
  readonly floor?: Rival
}

/** The bare clients that no library over them can beat: no peers. */
const bareClients: ReadonlyArray<ContenderName> = ["ioredis", "node:sqlite"]
const bareMap: ContenderName = "bare Map"

const isOneOf =
  (names: ReadonlyArray<string>) =>
  ({ contender }: Line): boolean =>
    names.some((name) => contender.startsWith(name))

const isLarder = isOneOf(["larder"])
const isFloor = isOneOf([bareMap])
const isNoLibrary = isOneOf([bareMap, ...bareClients])

const only = <A>(found: A | undefined, what: string, { case: name, variant }: Result): A => {
  if (found === undefined) throw new Error(`${name} (${variant}) has no ${what}`)
  return found
}

/** Drops the tier from the name: the case's name has it. */
const shortName = ({ contender }: Line): string => contender.replace(/ over (redis|sqlite)$/, "")

export const standing = (result: Result): Standing => {
  const fastestFirst = result.lines.toSorted((a, b) => a.summary.median - b.summary.median)
  const own = fastestFirst.filter(isLarder)
  // When Larder is measured in several ways, use the one that the case judges.
  const judged = own.find(({ contender }) => contender === result.verdicts[0]?.contender)
  const larder = only(judged ?? own[0], "larder", result)
  const rival = (line: Line): Rival => ({
    name: shortName(line),
    median: line.summary.median,
    ratio: larder.summary.median / line.summary.median,
  })
  const isBaseline = ({ comparison }: Line): boolean => comparison === undefined
  const peer = fastestFirst.find((line) => !isLarder(line) && !isNoLibrary(line))
  const floor = fastestFirst.find(isFloor)
  return {
    result,
    larder,
    baseline: rival(only(fastestFirst.find(isBaseline), "baseline", result)),
    ...(peer && { peer: rival(peer) }),
    ...(floor && { floor: rival(floor) }),
  }
}
