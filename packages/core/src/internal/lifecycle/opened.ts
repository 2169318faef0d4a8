/** Tells what a larder is made of: the event `Opened`, and a log line for each of its warnings. */
import { none } from "../../Backplane.ts"
import type { Engine } from "../state/engine.ts"
import { backplaneName, tierNames } from "./stats.ts"
import { version } from "./version.ts"

export const tellOpened = (engine: Engine): void => {
  const warnings = warningsOf(engine)
  engine.observer.opened({
    _tag: "Opened",
    tiers: tierNames(engine),
    backplane: backplaneName(engine),
    version,
    warnings,
  })
  for (const warning of warnings) engine.warnings.warn("opened", warning)
}

const warningsOf = ({ backplane, stack }: Engine): ReadonlyArray<string> => {
  const { arbiter, farther, hasMemory } = stack
  if (arbiter?.listen !== undefined) {
    return backplane === none
      ? []
      : [
          `the backplane ${backplane.name} is not used, because ${arbiter.name} tells every node of each change; leave the backplane out`,
        ]
  }
  const shared = farther.find(({ scope }) => scope === "shared")
  const isBounded = stack.maxFreshFor < Infinity
  if (!hasMemory || shared === undefined || backplane !== none || isBounded) return []
  return [
    `nodes share ${shared.name} and do not hear of each other's changes, so memory serves a changed value as fresh until its freshness ends; provide a Backplane, or set maxFreshFor in the memory tier`,
  ]
}
