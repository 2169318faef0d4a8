/** Draws the settings of a round from the seed. Pure. */
import { plan as planFaults, type Planned } from "../faults/plan.ts"
import type { Options } from "../options.ts"
import * as Choices from "@larder/traces/choices"
import { type PolicyTimes, type WireName, wires } from "../worker/Config.ts"
import type { StackName } from "./backend.ts"

export interface RoundPlan {
  readonly round: number
  readonly seed: number
  readonly stack: StackName
  readonly wire: WireName
  readonly policy: PolicyTimes
  /** Absent when only messages end the freshness of what other nodes have changed. */
  readonly maxFreshFor: number | undefined
  readonly clears: boolean
  readonly faults: ReadonlyArray<Planned>
  /** The generator for the random choices of faults while they run. */
  readonly random: Choices.Choices
}

const timeouts = { hardTimeout: 2_000, tierTimeout: 250, tierBudget: 500 }

/** With `long`, values outlive the round, so that only changes end them; with `short`, lives end within it. */
const long: PolicyTimes = {
  ...timeouts,
  freshFor: 60_000,
  staleWhileRevalidate: 0,
  staleIfError: 60_000,
}
const short: PolicyTimes = {
  ...timeouts,
  freshFor: 1_500,
  staleWhileRevalidate: 1_000,
  staleIfError: 5_000,
}

export const lifeOf = ({ freshFor, staleIfError, staleWhileRevalidate }: PolicyTimes): number =>
  freshFor + Math.max(staleIfError, staleWhileRevalidate)

export const planRound = (options: Options, round: number): RoundPlan => {
  const seed = Choices.derived(options.seed, "round", round)
  const random = Choices.make(seed)
  const stack = options.stacks[(round - 1) % options.stacks.length]!
  const [wire, policy] = [random.pick(wires), random.chance(0.25) ? short : long]
  const clears = random.chance(0.25)
  const faults = planFaults(random, stack, options.nodes, options.faults)
  // Without the bound a value that messages should have ended stays, and shows.
  const isBounded = random.chance(0.4)
  return {
    round,
    seed,
    stack,
    wire,
    policy,
    maxFreshFor: isBounded ? 300 : undefined,
    // After a clear, the marks that a flood misses make nothing stale any more.
    clears: clears && faults.every(({ fault }) => fault.kind !== "flood"),
    faults,
    random,
  }
}
