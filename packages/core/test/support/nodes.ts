/** Nodes and later processes over a file and a shared tier whose faults can be turned on. */
import { it } from "@effect/vitest"
import { Larder, Policy, type Tier, type TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./faultyTier.ts"

export const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

export const start = TestClock.setTime(1_790_000_000_000)

const held = (layer: Layer.Layer<Tier.Tier>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

/** Two tiers that stay when larders close, and their faults. */
export const tiers = Effect.gen(function* () {
  yield* start
  const faults = { file: new Faults(), shared: new Faults() }
  return {
    faults,
    file: yield* held(fileLayer(faults.file)),
    shared: yield* held(faultyShared(faults.shared)),
  }
})

export interface Source {
  asked: number
  answer: (key: string) => Effect.Effect<number, string>
}

export const source = (answer: Effect.Effect<number, string>): Source => ({
  asked: 0,
  answer: () => answer,
})

export const make = (
  from: Source,
  stack: Layer.Layer<TierStack.TierStack>,
  {
    adaptive,
    name = "nodes",
    policy = {},
    ...options
  }: Omit<Partial<Larder.BaseOptions<number, string, string, never>>, "policy"> & {
    /** The differences from `policy` for a value. */
    readonly adaptive?: (value: number) => Partial<Policy.Options>
    readonly name?: string
    readonly policy?: Partial<Policy.Options>
  } = {},
) => {
  const times = { freshFor: "10 seconds", staleIfError: "1 hour", ...policy } as const
  const base = Policy.make(times)
  return Effect.provide(
    Larder.make({
      name,
      value: Schema.Finite,
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.suspend(() => {
            from.asked += 1
            return from.answer(key)
          }),
      }),
      policy:
        adaptive === undefined
          ? base
          : Policy.adaptive(base, (value: number) => Policy.make({ ...times, ...adaptive(value) })),
      ...options,
    }),
    stack,
  )
}

/** A larder that closes, as where a process ends. */
export const briefly = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.scoped(effect)

export const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(body))
