/** The hit ratios of a trace at one size, and their goals. */
import type { Trace } from "@larder/traces"
import { larder, lru, replay } from "./caches.ts"
import { limit, nextRequests } from "./limit.ts"
import type { Loaded } from "./sources.ts"

/** Hit ratios in %. */
export interface Ratios {
  readonly opt: number
  readonly lru: number
  readonly larder: number
}

export interface Figures extends Ratios {
  readonly size: number
  /** The hit ratio of a simulation of adaptive W-TinyLFU, if known. */
  readonly reference: number | undefined
  /** The hit ratio that Larder should reach; absent when there is no goal. */
  readonly goal: number | undefined
  readonly met: boolean | undefined
}

/** In points: the tolerance for chance. */
const belowReference = 0.5

/** In points: what adapting may cost on traces that suit LRU. */
const belowLru = 2

export const judged = (
  size: number,
  ratios: Ratios,
  { reference, shareOfOpt }: Pick<Loaded, "reference" | "shareOfOpt">,
): Figures => {
  const known = reference.get(size)
  const least = Math.max(
    ratios.lru - belowLru,
    (known ?? 0) - belowReference,
    (shareOfOpt ?? 0) * ratios.opt,
  )
  const goal = least > 0 ? least : undefined
  const met = goal === undefined ? undefined : ratios.larder >= goal
  return { size, ...ratios, reference: known, goal, met }
}

/** The ratios of a trace, one size after the other. */
export const ratiosOf = (trace: Trace, seed: number): ((size: number) => Ratios) => {
  const next = nextRequests(trace.requests)
  const percent = (hits: number): number => (100 * hits) / next.length
  return (size) => ({
    opt: percent(limit(next, size)),
    lru: percent(replay(trace, lru(size))),
    larder: percent(replay(trace, larder({ maxEntries: size, seed }))),
  })
}
