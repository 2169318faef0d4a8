/** The larder of one node, as the configuration of a plan describes it. */
import { EarlyRefresh, Larder, MemoryTier, Policy, type TierStack, Upstream } from "@larder/core"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Life } from "../history/History.ts"
import type { Recorder } from "../history/Recorder.ts"
import { closeTimeout, type Config, lagOf, tierBudget, tierTimeout, timesOf } from "../plan/Plan.ts"
import type { LookupError, Source } from "./source.ts"
import { BoxedValue, numberOf, SimulatedValue } from "./values.ts"

export type SimulatedLarder = Larder.Larder<string, SimulatedValue, LookupError>

export const larderName = "simulated"

const policyOptions = (config: Config) => ({
  freshFor: config.freshFor,
  staleWhileRevalidate: config.staleWhileRevalidate,
  staleIfError: config.staleIfError,
  earlyRefresh: config.earlyRefresh ? EarlyRefresh.after(0.5) : EarlyRefresh.none,
  softTimeout: config.softTimeout ?? undefined,
  hardTimeout: config.hardTimeout,
  retryAfterFailure: timesOf(config).retryAfterFailure,
  tierTimeout,
  tierBudget,
  tierWrites: config.tierWrites,
})

export const memoryOf = ({ maxEntries, maxFreshFor }: Config) =>
  MemoryTier.layer({ maxEntries, ...(maxFreshFor === null ? {} : { maxFreshFor }) })

export interface Parts {
  readonly config: Config
  readonly recorder: Recorder
  readonly source: Source
  readonly life: Life
  /** Where other times than those of the simulator hold. */
  readonly policy?: Partial<Policy.Options>
}

export const makeLarder = ({
  config,
  life,
  policy: own,
  recorder,
  source,
}: Parts): Effect.Effect<SimulatedLarder, never, TierStack.TierStack | Scope.Scope> => {
  const policy = Policy.make({ ...policyOptions(config), ...own })
  return Larder.make({
    name: larderName,
    value: life.release.isBoxed ? BoxedValue : SimulatedValue,
    schemaVersion: life.release.schemaVersion,
    policy: config.checked ? Policy.checked(policy) : policy,
    tags: (value) => recorder.tagsOf(numberOf(value)),
    closeTimeout,
    replicaLag: lagOf(config),
    upstream: Upstream.make({
      lookup: (key: string, previous) => source.lookup(life, key, previous),
    }),
  })
}
