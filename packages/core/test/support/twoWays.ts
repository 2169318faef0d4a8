/** Nodes with memory of their own over one shared tier, each with its own way to it, which can fail. */
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Layer, References, Schema, type Scope } from "effect"
import { it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "./faultyTier.ts"

export const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** The tiers in front of the shared tier. */
export type Front = "memory" | "nothing" | "memory and file" | "memory for 300 ms"

export const fronts: ReadonlyArray<Front> = ["memory", "nothing", "memory and file"]

const inFront = (front: Front, shared: Layer.Layer<Tier.Tier>) => {
  switch (front) {
    case "memory":
      return TierStack.layer(MemoryTier.layer(), shared)
    case "memory for 300 ms":
      return TierStack.layer(MemoryTier.layer({ maxFreshFor: 300 }), shared)
    case "nothing":
      return TierStack.layer(shared)
    case "memory and file":
      return TierStack.layer(MemoryTier.layer(), fileLayer(new Faults()), shared)
  }
}

export type Node = Larder.Larder<string, number, string>

export interface World {
  /** A node, whose way to the shared tier fails as `faults` says. */
  readonly join: (
    faults?: Faults,
    policy?: Omit<Policy.Options, "freshFor">,
  ) => Effect.Effect<Node, never, Scope.Scope>
}

const world = (front: Front) =>
  Effect.map(Layer.build(Layer.fresh(MemoryTier.layerShared)), (built): World => {
    const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
    return {
      join: (faults = new Faults(), policy = {}) =>
        Effect.gen(function* () {
          const stack = yield* Layer.build(Layer.fresh(inFront(front, wayToShared(faults, shared))))
          return yield* Larder.make({
            name: "nodes",
            value: Schema.Finite,
            tags: (value) => ["all", `v${value}`],
            upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
            policy: Policy.make({ freshFor: "10 minutes", staleIfError: "10 minutes", ...policy }),
          }).pipe(Effect.provide(stack))
        }),
    }
  })

export const law = (
  title: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
  over: ReadonlyArray<Front> = ["memory"],
) => {
  for (const front of over) {
    it.effect(over.length === 1 ? title : `${title} (${front} in front)`, () =>
      TestClock.setTime(1_790_000_000_000).pipe(
        Effect.andThen(world(front)),
        Effect.flatMap(body),
        Effect.scoped,
        Effect.provideService(References.MinimumLogLevel, "None"),
      ),
    )
  }
}

/** The value that a node without memory of its own finds in the shared tier, if it is fresh. */
export const elsewhere = ({ join }: World, key: string) =>
  Effect.scoped(
    Effect.flatMap(join(), (node) =>
      Effect.map(node.read(key), ({ entry, freshness }) =>
        freshness._tag === "Fresh" ? entry?.value : freshness._tag,
      ),
    ),
  )
