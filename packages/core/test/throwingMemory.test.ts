/** A memory tier of another author that throws when an entry is stored. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

const broken = new Error("put is broken")

/** The memory tier, whose `put` throws while `isBroken` holds. */
const throwing = (isBroken: () => boolean) =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Effect.service(Tier.Tier), (tier) => {
      if (tier.kind !== "objects") return tier
      const { open } = tier
      const opened = (options: Parameters<typeof open>[0]) =>
        Effect.map(open(options), (store) => {
          const { put } = store
          return Object.assign(store, {
            put: (...given: Parameters<typeof put>) => {
              if (isBroken()) throw broken
              return put.apply(store, given)
            },
          })
        })
      return { ...tier, open: opened }
    }),
  ).pipe(Layer.provide(MemoryTier.layer()))

const words = (options: { readonly bulk: boolean; readonly millis: number }) => {
  const lookup = (word: string) => Effect.delay(Effect.succeed(word.length), options.millis)
  const lookupMany = (keys: ReadonlyArray<string>) =>
    Effect.delay(Effect.succeed(new Map(keys.map((word) => [word, word.length]))), options.millis)
  return Larder.make({
    name: "words",
    value: Schema.Finite,
    policy: Policy.make({ freshFor: "1 minute" }),
    upstream: options.bulk ? Upstream.make({ lookup, lookupMany }) : Upstream.make({ lookup }),
  })
}

const defects = (exits: Iterable<Exit.Exit<unknown, unknown>>) =>
  Array.from(exits, (exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value))

for (const bulk of [false, true]) {
  for (const millis of [0, 10]) {
    const how = `${bulk ? "bulk" : "single"} lookups of ${millis} ms`
    it.effect(
      `law 6: its defect goes to the callers, and the next lookup starts afresh: ${how}`,
      () => {
        let isBroken = true
        return Effect.gen(function* () {
          const larder = yield* words({ bulk, millis })
          const asked = Effect.all(
            [Effect.exit(larder.get("milk")), larder.getMany(["oats", "rye"])],
            {
              concurrency: "unbounded",
            },
          )
          const ask = Effect.gen(function* () {
            const caller = yield* Effect.forkChild(asked)
            yield* TestClock.adjust("1 second")
            const [one, many] = yield* Fiber.join(caller)
            return defects([one, ...many.values()])
          })
          expect(yield* ask).toEqual([broken, broken, broken])
          expect((yield* larder.stats).inFlight).toBe(0)
          isBroken = false
          expect(yield* ask).toEqual([4, 4, 3])
        }).pipe(Effect.provide(TierStack.layer(throwing(() => isBroken))), Effect.scoped)
      },
    )

    it.effect(
      `law 6: over a shared tier its callers have the value, and the key is free again: ${how}`,
      () => {
        let isBroken = true
        const stack = TierStack.layer(
          throwing(() => isBroken),
          Layer.fresh(MemoryTier.layerShared),
        )
        return Effect.gen(function* () {
          const larder = yield* words({ bulk, millis })
          const ask = Effect.gen(function* () {
            const caller = yield* Effect.forkChild(larder.getMany(["oats", "rye"]))
            yield* TestClock.adjust("1 second")
            return defects((yield* Fiber.join(caller)).values())
          })
          expect(yield* ask).toEqual([4, 3])
          // The shared tier has the values now, and adopting them throws.
          expect(yield* ask).toEqual([broken, broken])
          expect((yield* larder.stats).inFlight).toBe(0)
          isBroken = false
          expect(yield* ask).toEqual([4, 3])
        }).pipe(Effect.provide(stack), Effect.scoped)
      },
    )
  }
}

/** The tier, which answers reads with nothing; its arbiter still has the entries. */
const unread = (tier: Tier.ObjectTier | Tier.ByteTier) =>
  tier.kind === "bytes"
    ? {
        ...tier,
        open: (options: Parameters<typeof tier.open>[0]) =>
          Effect.map(tier.open(options), (store) => ({
            ...store,
            read: (keys: ReadonlyArray<string>) => Effect.succeed(keys.map(() => undefined)),
            put: store.put.bind(store),
            drop: store.drop.bind(store),
          })),
      }
    : tier

it.effect(
  "law 6: its defect goes to a caller for which the request for the lease brought a value",
  () =>
    Effect.gen(function* () {
      const tier = yield* Effect.service(Tier.Tier)
      const over = (isBroken: boolean, shared: typeof tier) =>
        Effect.provide(
          words({ bulk: false, millis: 0 }),
          TierStack.layer(
            throwing(() => isBroken),
            Layer.succeed(Tier.Tier, shared),
          ),
        )
      yield* (yield* over(false, tier)).get("milk")
      const larder = yield* over(true, unread(tier))
      const caller = yield* Effect.forkChild(Effect.exit(larder.get("milk")))
      yield* TestClock.adjust("1 second")
      expect(defects([yield* Fiber.join(caller)])).toEqual([broken])
      expect((yield* larder.stats).inFlight).toBe(0)
    }).pipe(Effect.provide(MemoryTier.layerShared), Effect.scoped),
)

it.effect(
  "law 18: where it throws at another node's message, the node has a gap, and the change is made",
  () => {
    let isBroken = false
    return Effect.gen(function* () {
      const shared = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
      const node = (memory: Layer.Layer<Tier.Tier>) =>
        Effect.provide(
          Larder.make({
            name: "words",
            value: Schema.Finite,
            policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 minute" }),
            upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
          }),
          TierStack.layer(memory, shared),
        )
      const a = yield* node(throwing(() => isBroken))
      const b = yield* node(MemoryTier.layer())
      yield* a.get("milk")
      isBroken = true
      expect(yield* b.set("milk", 7)).toMatchObject({ settled: true })
      isBroken = false
      expect((yield* a.stats).gaps).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect(yield* a.get("milk")).toBe(7)
    }).pipe(Effect.scoped)
  },
)
