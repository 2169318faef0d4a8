/** What a trace shows at one size, and what is to be reached. */
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
  /** The hit ratio that a simulation of adaptive W-TinyLFU has, where there is one. */
  readonly reference: number | undefined
  /** The hit ratio that Larder is to have, unless any is as good. */
  readonly goal: number | undefined
  readonly met: boolean | undefined
}

/** In points: what chance may do in either direction. */
const belowReference = 0.5

/** In points: what adapting to what LRU does well may cost. */
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

/** The ratios of a trace at one size after the other. */
export const ratiosOf = (trace: Trace, seed: number): ((size: number) => Ratios) => {
  const next = nextRequests(trace.requests)
  const percent = (hits: number): number => (100 * hits) / next.length
  return (size) => ({
    opt: percent(limit(next, size)),
    lru: percent(replay(trace, lru(size))),
    larder: percent(replay(trace, larder({ maxEntries: size, seed }))),
  })
}
