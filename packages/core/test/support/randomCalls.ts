/** Random calls and changes of a larder over faulty tiers and a faulty upstream. */
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema, type Scope } from "effect"
import { type Faults, layer as faultyShared } from "./faultyTier.ts"
import type { Draw } from "./seeded.ts"

export type Node = Larder.Larder<string, number, string | Upstream.Shed | Error>

const keys = ["a", "b", "c", "d", "e", "", "a\nb"]

export const stacks = {
  memory: (_: Faults) => TierStack.layer(MemoryTier.layer({ maxEntries: 3 })),
  "memory and a faulty shared tier": (faulty: Faults) =>
    TierStack.layer(MemoryTier.layer({ maxEntries: 3 }), Layer.fresh(faultyShared(faulty))),
  "a faulty shared tier alone": (faulty: Faults) =>
    TierStack.layer(Layer.fresh(faultyShared(faulty)) as Layer.Layer<Tier.Tier>),
}

/** The keys that upstream was asked for, each once for each lookup. */
export interface Asked {
  keys: number
}

const upstreamOf = (draw: Draw, asked: Asked) => {
  const answer = (key: string): Effect.Effect<number, string> => {
    const after = draw(3) * 50
    switch (draw(8)) {
      case 0:
        return Effect.delay(Effect.fail(`no ${key}`), after)
      case 1:
        return Effect.delay(Effect.die(new Error("broken")), after)
      case 2:
        return Effect.never
      default:
        return Effect.delay(Effect.succeed(draw(100)), after)
    }
  }
  return Upstream.make({
    lookup: (key: string) =>
      Effect.suspend(() => {
        asked.keys += 1
        return answer(key)
      }),
    lookupMany: (keys) =>
      Effect.suspend(() => {
        asked.keys += keys.length
        return Effect.map(answer("many"), (value) => {
          const given = keys.filter(() => draw(4) > 0)
          return new Map(given.map((key) => [key, value] as const))
        })
      }),
  }).pipe(Upstream.withCircuitBreaker(), Upstream.withConcurrency({ foreground: 2, queue: 1 }))
}

export const make = (draw: Draw, asked: Asked = { keys: 0 }) =>
  Larder.make({
    name: "counted",
    value: Schema.Finite,
    upstream: upstreamOf(draw, asked),
    policy: Policy.make({
      freshFor: 100,
      staleWhileRevalidate: draw(2) * 100,
      staleIfError: draw(2) * 1_000,
      softTimeout: draw(2) === 0 ? undefined : 60,
      hardTimeout: 200,
      retryAfterFailure: draw(2) * 100,
    }),
    tags: (value) => [value % 2 === 0 ? "even" : "odd"],
    failureFor: () => draw(2) * 100,
    graceFor: () => draw(3) > 0,
    revision: (value) => value % 10,
  }) as Effect.Effect<Node, never, TierStack.TierStack | Scope.Scope>

/** Begins one random call; returns the number of answers that it owes. */
export const callOf = (
  larder: Node,
  draw: Draw,
): readonly [number, Effect.Effect<unknown, unknown>] => {
  const key = keys[draw(keys.length)]!
  switch (draw(6)) {
    case 0:
      return [1, larder.get(key, { maxAge: draw(200), stale: draw(2) === 0 ? "allow" : "never" })]
    case 1:
      return [1, larder.getWithMeta(key)]
    case 2:
      return [1, larder.refresh(key)]
    case 3: {
      const many = keys.filter(() => draw(2) === 0)
      return [many.length, larder.getMany([...many, ...many])]
    }
    default:
      return [1, larder.get(key)]
  }
}

export const changeOf = (larder: Node, draw: Draw): Effect.Effect<unknown, unknown> => {
  const key = keys[draw(5)]!
  switch (draw(6)) {
    case 0:
      return larder.set(key, draw(100))
    case 1:
      return larder.remove(key)
    case 2:
      return larder.expire(key)
    case 3:
      return larder.clear({ keepStale: draw(2) === 0 })
    case 4:
      return Effect.andThen(larder.read(key), larder.has(key))
    default:
      return larder.invalidateTags("even", { keepStale: draw(2) === 0 })
  }
}
