/** The option `hits` of one subscription. */
import type { Hits, SubscribeOptions } from "../observe/hits.ts"
import type { NamesOf } from "../runtime/optionNames.ts"
import { checkNames, invalidOption } from "./settings.ts"

const names: NamesOf<SubscribeOptions> = { hits: true }

export const isHits = (got: unknown): got is Hits =>
  got === "all" || got === "sampled" || got === "none"

/** Throws `InvalidOptions`. */
export const hitsOf = (larder: string, options: SubscribeOptions): Hits => {
  checkNames(larder, options, names)
  const { hits = "all" } = options
  if (isHits(hits)) return hits
  throw invalidOption(larder, "hits", 'be "all", "sampled" or "none"', hits)
}
