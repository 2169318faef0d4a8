/** Which hits a listener gets: they are most of the events, and each costs its caller. */
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

/** How one listener gets its hits. */
export type HitFilter = "all" | "none" | Sampler

export const filterOf = (larder: string, hits: Hits): HitFilter =>
  hits === "sampled" ? new Sampler(hitSteps(larder)) : hits
