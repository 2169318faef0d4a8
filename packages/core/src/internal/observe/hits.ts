/** Which hits a listener gets: they are most of the events, and each costs its caller. */
import { InvalidOptions } from "../../InvalidOptions.ts"
import { mistakeIn, type NamesOf } from "../runtime/optionNames.ts"
import { reasonOf, shown } from "../runtime/shownValue.ts"
import { hitSteps, Sampler } from "./sampling.ts"

/**
 * Which `Hit` events a subscriber gets.
 *
 * - `"all"`: each of them.
 * - `"sampled"`: one of 64 on average, at random. Its `count` is the number of hits that it stands for:
 *   all since the last sample, itself included. So the sum of the counts is the number of hits, but for
 *   the up to 126 since the last sample.
 * - `"none"`: none. Then hits cost nothing.
 *
 * @category options
 * @since 0.1.0
 */
export type Hits = "all" | "sampled" | "none"

/**
 * Options of `subscribeTo`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SubscribeOptions {
  /** Which hits to deliver; all other events are always delivered. Default `"all"`. */
  readonly hits?: Hits | undefined
}

const names: NamesOf<SubscribeOptions> = { hits: true }

const isHits = (got: unknown): got is Hits => got === "all" || got === "sampled" || got === "none"

/** The option `hits` of one subscription. Throws `InvalidOptions`. */
export const hitsOf = (larder: string, options: SubscribeOptions): Hits => {
  const mistake = mistakeIn(options, names)
  if (mistake !== undefined) throw invalid(larder, mistake.field, mistake.reason)
  const { hits = "all" } = options
  if (isHits(hits)) return hits
  throw invalid(larder, "hits", reasonOf('be "all", "sampled" or "none"', hits))
}

const invalid = (larder: string, field: string, reason: string): InvalidOptions =>
  new InvalidOptions({ module: "Larder", field, reason: `of ${shown(larder)} ${reason}` })

/** How one listener gets its hits. */
export type HitFilter = "all" | "none" | Sampler

export const filterOf = (larder: string, hits: Hits): HitFilter =>
  hits === "sampled" ? new Sampler(hitSteps(larder)) : hits
