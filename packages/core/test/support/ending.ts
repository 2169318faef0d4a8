/**
 * Programs that leave a larder open, or wait for one: `node ending.ts NAME...`. For each it prints a
 * line with its result and the timers that still keep the process alive, and then ends by itself.
 */
import { Cause, Effect, Exit, Layer, Logger, Schedule, Schema } from "effect"
import * as Scope from "effect/Scope"
import {
  Deadline,
  Detectors,
  EarlyRefresh,
  Larder,
  LogEvents,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "../../src/index.ts"

/** A tier whose operations never end. */
const hanging = Layer.succeed(Tier.Tier, {
  kind: "bytes",
  name: "hanging",
  scope: "machine",
  abilities: { notifies: false },
  open: () =>
    Effect.succeed({
      read: () => Effect.never,
      put: () => Effect.never,
      drop: () => Effect.never,
      arbiter: undefined,
    }),
})

/** An arbiter that does not answer. */
const away = Layer.effect(
  Tier.Tier,
  Effect.map(Tier.Tier, (tier) => {
    if (tier.kind !== "bytes") return tier
    return {
      ...tier,
      open: (options: Parameters<typeof tier.open>[0]) =>
        Effect.map(tier.open(options), (store) => {
          const fail = (operation: string) => () =>
            Effect.fail(new Tier.TierError({ tier: tier.name, operation, cause: "away" }))
          return {
            ...store,
            read: fail("read"),
            arbiter: {
              ...store.arbiter!,
              write: fail("write"),
              mark: fail("mark"),
              acquire: fail("acquire"),
              marks: fail("marks"),
            },
          }
        }),
    }
  }),
).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))

const make = (
  tiers: Layer.Layer<TierStack.TierStack>,
  lookup: (key: string, n: number) => Effect.Effect<string>,
  policy: Partial<Parameters<typeof Policy.make>[0]> = {},
) => {
  let n = 0
  return Larder.make({
    name: "texts",
    value: Schema.String,
    upstream: Upstream.make({ lookup: (key: string) => Effect.suspend(() => lookup(key, n++)) }),
    policy: Policy.make({ freshFor: "1 hour", ...policy }),
  }).pipe(Effect.provide(tiers), Effect.provideService(Scope.Scope, Scope.makeUnsafe()))
}

const memory = TierStack.layer(MemoryTier.layer())
const shared = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
const soon = (key: string) => Effect.as(Effect.sleep(5), key)
const never = () => Effect.never
const secondNever = (key: string, n: number) => (n === 0 ? Effect.succeed(key) : Effect.never)

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  scheduled: Effect.flatMap(
    make(memory, soon, {
      earlyRefresh: EarlyRefresh.scheduled(EarlyRefresh.after(0.9), Schedule.spaced("20 seconds")),
    }),
    (larder) => larder.get("k"),
  ),
  lookup: Effect.flatMap(make(memory, soon), (larder) => larder.get("k")),
  tiers: Effect.flatMap(make(shared, soon), (larder) =>
    Effect.andThen(larder.set("l", "v"), larder.get("k")),
  ),
  refresh: Effect.gen(function* () {
    const larder = yield* make(memory, secondNever, { freshFor: 1, staleWhileRevalidate: "1 hour" })
    yield* larder.get("k")
    yield* Effect.sleep(20)
    return yield* larder.get("k")
  }),
  "refresh with a lease": Effect.gen(function* () {
    const larder = yield* make(shared, secondNever, { freshFor: 1, staleWhileRevalidate: "1 hour" })
    yield* larder.get("k")
    yield* Effect.sleep(50)
    return yield* larder.get("k")
  }),
  "refresh that waits for a lease": Effect.gen(function* () {
    const tier = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
    const policy = { freshFor: 1, staleWhileRevalidate: "1 hour" } as const
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    const holder = yield* make(stack(), secondNever, policy)
    const other = yield* make(stack(), soon, policy)
    yield* holder.get("k")
    yield* other.get("k")
    yield* Effect.sleep(50)
    yield* holder.get("k")
    yield* Effect.sleep(50)
    return yield* other.get("k")
  }).pipe(Effect.scoped),
  softTimeout: Effect.gen(function* () {
    const larder = yield* make(memory, secondNever, {
      freshFor: 1,
      staleIfError: "1 hour",
      softTimeout: 50,
    })
    yield* larder.get("k")
    yield* Effect.sleep(20)
    return yield* larder.get("k")
  }),
  missed: Effect.flatMap(make(TierStack.layer(MemoryTier.layer(), away), soon), (larder) =>
    Effect.map(larder.set("k", "v"), ({ settled }) => settled),
  ),
  "missed in the background": Effect.flatMap(
    make(TierStack.layer(MemoryTier.layer(), away), soon, { tierWrites: "background" }),
    (larder) => Effect.map(larder.set("k", "v"), ({ settled }) => settled),
  ),
  interrupted: Effect.flatMap(make(memory, never), (larder) =>
    Effect.timeoutOption(larder.get("k"), 50),
  ),
  observed: Effect.gen(function* () {
    let n = 0
    yield* Layer.buildWithScope(
      // Standard output is for the results.
      Layer.provide(Layer.merge(LogEvents.layer(), Detectors.layer()), Logger.layer([])),
      Scope.makeUnsafe(),
    )
    const larder = yield* Larder.make({
      name: "observed",
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.suspend(() => Effect.as(Effect.sleep(n++ === 0 ? 5 : "1 hour"), key)),
      }),
      policy: Policy.make({ freshFor: "1 hour", hardTimeout: "2 hours" }),
      audit: { share: 1 },
      onStampede: () => Effect.sleep("1 hour"),
    }).pipe(Effect.provide(memory), Effect.provideService(Scope.Scope, Scope.makeUnsafe()))
    const crowd = Array.from({ length: 20 }, () => larder.get("k"))
    yield* Effect.all(crowd, { concurrency: "unbounded" })
    // A hit, which is audited.
    return yield* larder.get("k")
  }),
  "waits for a deadline": Deadline.hard(Effect.never, {
    after: 100,
    onTimeout: () => Effect.succeed("too slow"),
  }),
  "waits for a lookup": Effect.flatMap(make(memory, never, { hardTimeout: 100 }), (larder) =>
    larder.get("k"),
  ),
  "waits for a refresh": Effect.flatMap(make(memory, never, { hardTimeout: 100 }), (larder) =>
    larder.refresh("k"),
  ),
  "waits for many": Effect.flatMap(make(memory, never, { hardTimeout: 100 }), (larder) =>
    Effect.map(larder.getMany(["k", "l"]), (exits) => exits.size),
  ),
  "waits for a tier": Effect.flatMap(
    make(TierStack.layer(MemoryTier.layer(), hanging), soon, { tierTimeout: 100 }),
    (larder) =>
      Effect.gen(function* () {
        const { freshness } = yield* larder.read("k")
        const { settled } = yield* larder.set("k", "v")
        const removed = yield* larder.remove("k")
        return [freshness._tag, settled, removed.settled]
      }),
  ),
}

for (const name of process.argv.slice(2)) {
  const exit = await Effect.runPromiseExit(programs[name]!)
  const got = Exit.isSuccess(exit) ? exit.value : String(Cause.squash(exit.cause))
  // By now background work has begun.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const timers = process.getActiveResourcesInfo().filter((what) => what === "Timeout").length
  console.log(JSON.stringify({ name, got, timers }))
}
