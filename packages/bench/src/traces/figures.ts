/** What a trace showed, and what was to be reached. */

/** Hit ratios in %. */
export interface Ratios {
  readonly opt: number
  readonly lru: number
  readonly larder: number
}

/** One size of one trace. */
export interface Figures extends Ratios {
  readonly size: number
  /** The hit ratio that a simulation of adaptive W-TinyLFU has, where there is one. */
  readonly reference: number | undefined
  /** The hit ratio that Larder is to have, unless any is as good. */
  readonly goal: number | undefined
  readonly met: boolean | undefined
}

export interface Replayed {
  readonly trace: string
  readonly title: string
  readonly requests: number
  readonly keys: number
  readonly sizes: ReadonlyArray<Figures>
}

/** In points: what chance may do in either direction. */
const belowReference = 0.5

/** In points: what adapting to what LRU does well may cost. */
const belowLru = 2

/** What is known of a trace beforehand. */
export interface Expected {
  readonly reference?: number | undefined
  /** The share of what OPT has that an adaptive policy has at least. */
  readonly shareOfOpt?: number | undefined
}

export const figures = (size: number, ratios: Ratios, expected: Expected): Figures => {
  const { reference, shareOfOpt } = expected
  const least = Math.max(
    ratios.lru - belowLru,
    (reference ?? 0) - belowReference,
    (shareOfOpt ?? 0) * ratios.opt,
  )
  const goal = least > 0 ? least : undefined
  const met = goal === undefined ? undefined : ratios.larder >= goal
  return { size, ...ratios, reference, goal, met }
}
