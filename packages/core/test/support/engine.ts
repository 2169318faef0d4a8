/** An engine by itself, over memory and whatever tiers a test makes up. */
import { Backplane, type Entry, Policy } from "@larder/core"
import { Effect, Random } from "effect"
import { TestClock } from "effect/testing"
import { Engine, type Settings } from "../../src/internal/state/engine.ts"
import { Marks } from "../../src/internal/invalidation/marks.ts"
import { MemoryStore } from "../../src/internal/memory/memoryStore.ts"
import { Observer } from "../../src/internal/observe/eventHub.ts"
import type { Stack } from "../../src/internal/tier/openStack.ts"
import { steadyOf } from "../../src/internal/runtime/steadyClock.ts"
import { Turns } from "../../src/internal/runtime/turns.ts"

export const policy = Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" })

export const settings: Settings = {
  follows: false,
  name: "engine",
  upstream: { lookup: () => Effect.void, lookupMany: undefined, breakers: [] },
  policy,
  policyOf: () => policy,
  keySchema: undefined,
  keyOf: (key) => (typeof key === "string" ? key : undefined),
  prefixOf: (prefix) => prefix,
  keyProblem: () => "no key",
  hasKeyFunction: false,
  tags: undefined,
  etag: undefined,
  failureFor: undefined,
  graceFor: undefined,
  revision: undefined,
  closeMillis: 5_000,
  replicaLag: 0,
  objective: undefined,
  stampedeCallers: 10,
  onStampede: undefined,
  audit: undefined,
}

export const startMillis = 1_790_000_000_000

/** An engine over memory, with what else a test says that there is. */
export const makeEngine = (
  stack: Partial<Stack> = {},
  maxFreshFor = Infinity,
  own: Partial<Settings> = {},
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(startMillis)
    const context = yield* Effect.context<never>()
    const clock = steadyOf(yield* Effect.clockWith(Effect.succeed))
    const random = yield* Random.Random
    const soon = (task: () => void) => task()
    const near = new MemoryStore({
      maxEntries: 100,
      maxWeight: Infinity,
      eviction: "lru",
      seed: 0,
      weigh: () => 1,
      maxFreshFor,
      onEvicted: () => {},
    })
    const marks = new Marks()
    const alone: Stack = {
      near,
      hasMemory: true,
      nearName: "memory",
      maxFreshFor,
      farther: [],
      arbiter: undefined,
      leaseMillis: 0,
      leaseWaitMillis: 0,
      settleMillis: 60_000,
    }
    const observer = new Observer("engine", clock, soon)
    const turns = new Turns(soon, clock)
    const surroundings = {
      context,
      origin: context,
      clock,
      random,
      soon,
      turns,
      backplane: Backplane.none,
    }
    return new Engine(
      { ...settings, ...own, policyOf: own.policyOf ?? (() => own.policy ?? policy) },
      surroundings,
      { ...alone, ...stack },
      observer,
      marks,
    )
  })

export const entryOf = (engine: Engine, change: Partial<Entry.Entry<unknown>> = {}) => {
  const now = engine.now()
  return {
    value: "v",
    storedAt: now,
    freshUntil: now + 10_000,
    revalidateUntil: now + 10_000,
    staleUntil: now + 3_610_000,
    loadMillis: 0,
    version: 1,
    asOf: 0,
    tags: [],
    ...change,
  }
}

export const keep = (
  engine: Engine,
  k: string,
  change: Partial<Entry.Entry<unknown>> = {},
  own = policy,
) =>
  engine.entries.keep(
    k,
    k,
    { entry: entryOf(engine, change), policy: own, weight: 1 },
    engine.now(),
  )
