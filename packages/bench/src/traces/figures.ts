/** The hit ratios of a trace at one size, their goals, and both as text. */
import type { Trace } from "@larder/traces"
import { larderMap, lru, type Store } from "../stores.ts"
import { aligned } from "../table.ts"
import { limit, nextRequests } from "./limit.ts"
import type { Loaded } from "./sources.ts"

/** Hit ratios in %. */
interface Ratios {
  readonly opt: number
  readonly lru: number
  readonly larder: number
}

/** How far Larder may be below the reference because of chance, in percentage points. */
const belowReference = 0.5

/** How far Larder may be below LRU on traces that suit LRU, because it has to adapt; in percentage points. */
const belowLru = 2

/** Adds the goal to the hit ratios: the one that Larder should reach; undefined if even 0 is enough. */
export const judged = (
  size: number,
  ratios: Ratios,
  { reference: references, shareOfOpt = 0 }: Pick<Loaded, "reference" | "shareOfOpt">,
) => {
  const { larder, lru, opt } = ratios
  const reference = references?.get(size)
  const least = Math.max(lru - belowLru, (reference ?? 0) - belowReference, shareOfOpt * opt)
  const goal = least > 0 ? least : undefined
  const met = goal === undefined ? undefined : larder >= goal
  return { size, ...ratios, reference, goal, met }
}

export type Figures = ReturnType<typeof judged>

/** The number of hits, from a cold start; each missing key is stored. */
export const replay = ({ keys, requests }: Trace, { get, set }: Store): number => {
  let hits = 0
  for (const request of requests) {
    const key = keys[request]!
    if (get(key)) hits++
    else set(key)
  }
  return hits
}

/** The ratios of a trace, one size after the other. */
export const ratiosOf = (trace: Trace): ((size: number) => Ratios) => {
  const next = nextRequests(trace.requests)
  const percent = (hits: number): number => (100 * hits) / next.length
  return (size) => ({
    opt: percent(limit(next, size)),
    lru: percent(replay(trace, lru(size))),
    larder: percent(replay(trace, larderMap(size))),
  })
}

const heads = ["size", "OPT", "LRU", "Larder", "Larder - LRU", "reference", "goal", ""]

const row = ({ goal, larder, lru, met, opt, reference, size }: Figures): ReadonlyArray<string> => [
  size.toLocaleString("en"),
  ...[opt, lru, larder].map((ratio) => ratio.toFixed(2)),
  `${larder < lru ? "" : "+"}${(larder - lru).toFixed(2)}`,
  reference?.toFixed(2) ?? "",
  goal === undefined ? "" : `>= ${goal.toFixed(2)}`,
  met === undefined ? "" : met ? "met" : "MISSED",
]

/** One trace, one size per line. */
export const table = (name: string, title: string, figures: ReadonlyArray<Figures>): string =>
  [`${name}: ${title}`, ...aligned([heads, ...figures.map(row)], 0)].join("\n  ")

export const legend = `Hit ratios in %, from a cold start. OPT: Belady's limit. LRU: lru-cache. Larder - LRU: in points.
reference: a simulation of adaptive W-TinyLFU. goal: at most 2 points below LRU and 0.5
below the reference; on a loop a bit larger than the cache at least half of OPT.`
