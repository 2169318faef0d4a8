/**
 * A source with writers and readers on several nodes, in virtual time. The source remembers which value
 * it had when, so that a test can tell whether a fresh value was still that of the source.
 */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Draw } from "./seeded.ts"

/** One key of the source, which gets each value once. */
export class Source {
  readonly #values = [0]
  #last = 0

  get value(): number {
    return this.#values.at(-1)!
  }

  /** How often the source was written. */
  get writes(): number {
    return this.#values.length - 1
  }

  /** A value that nobody else writes. */
  next(): number {
    this.#last += 1
    return this.#last
  }

  write(value: number): void {
    this.#values.push(value)
  }

  /** Whether so many writes, or more, had been made when the source got the value. */
  isSince(value: number, writes: number): boolean {
    return this.#values.indexOf(value) >= writes
  }
}

/** Random pauses. */
export const napping = (draw: Draw) => (most: number) =>
  Effect.suspend(() => Effect.sleep(draw(most + 1)))

/** The larders of nodes over one shared tier, or that of one node over memory alone. */
export const lardersOf = (
  nodes: number,
  lookup: (key: string) => Effect.Effect<number>,
  options: Partial<Larder.BaseOptions<number, string, never, never>> = {},
) =>
  Effect.gen(function* () {
    const shared = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
    return yield* Effect.forEach(Array.from({ length: nodes }), () => {
      const memory = MemoryTier.layer()
      const stack = nodes === 1 ? TierStack.layer(memory) : TierStack.layer(memory, shared)
      return Effect.provide(
        Larder.make({
          name: "products",
          value: Schema.Finite,
          upstream: Upstream.make({ lookup }),
          policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day" }),
          ...options,
        }),
        Layer.fresh(stack),
      )
    })
  })

/** Runs an effect, and lets virtual time pass until it ends. */
export const passing = <A, E, R>(effect: Effect.Effect<A, E, R>, stepMillis = 1) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(stepMillis)
    return yield* Fiber.join(fiber)
  })
