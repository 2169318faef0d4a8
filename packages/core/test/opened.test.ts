/** What a larder tells about itself: the event `Opened`, `stats.backplane`, the log. */
import { readFileSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import { Backplane, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Exit, Layer, Logger, PubSub, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import { start } from "./support/nodes.ts"

const make = (stack: Layer.Layer<TierStack.TierStack>) =>
  Larder.make({
    name: "opened",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
    policy: Policy.make({ freshFor: "1 minute" }),
  }).pipe(Effect.provide(stack))

const packageJson: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
)

/** A tier of all nodes that does not notify. */
const silent = Layer.effect(
  Tier.Tier,
  Effect.map(Layer.build(fileLayer(new Faults())), (built) => ({
    ...(Context.get(built, Tier.Tier) as Tier.ByteTier),
    name: "silent",
    scope: "shared" as const,
  })),
)

const memory = (options: MemoryTier.Options = {}) => MemoryTier.layer(options)

const stacks = {
  memory: () => TierStack.layer(memory()),
  notifying: () => TierStack.layer(memory(), Layer.fresh(MemoryTier.layerShared)),
  silent: () => TierStack.layer(memory(), silent),
  bounded: () => TierStack.layer(memory({ maxFreshFor: "5 seconds" }), silent),
  withoutMemory: () => TierStack.layer(silent),
}

/** The lines that are logged while `effect` runs. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") lines.push(String(message))
  })
  return Effect.map(Effect.provide(effect, Logger.layer([logger])), (value) => ({ lines, value }))
}

const first = (stack: Layer.Layer<TierStack.TierStack>) =>
  Effect.gen(function* () {
    const larder = yield* make(stack)
    const event = yield* PubSub.take(yield* larder.subscribe)
    if (event._tag !== "Opened") return expect.fail(event._tag)
    expect((yield* larder.stats).backplane).toBe(event.backplane)
    return event
  })

const forgotten = "nodes share silent and do not hear of each other's changes"

it.effect.each([
  { of: "memory", given: false, tiers: ["memory"], backplane: "none", warns: undefined },
  { of: "memory", given: true, tiers: ["memory"], backplane: "memory", warns: undefined },
  {
    of: "notifying",
    given: false,
    tiers: ["memory", "shared"],
    backplane: "shared",
    warns: undefined,
  },
  {
    of: "notifying",
    given: true,
    tiers: ["memory", "shared"],
    backplane: "shared",
    warns: "the backplane memory is not used",
  },
  { of: "silent", given: false, tiers: ["memory", "silent"], backplane: "none", warns: forgotten },
  { of: "silent", given: true, tiers: ["memory", "silent"], backplane: "memory", warns: undefined },
  {
    of: "bounded",
    given: false,
    tiers: ["memory", "silent"],
    backplane: "none",
    warns: undefined,
  },
  { of: "withoutMemory", given: false, tiers: ["silent"], backplane: "none", warns: undefined },
] as const)("Opened of $of, backplane given: $given", ({ backplane, given, of, tiers, warns }) =>
  Effect.gen(function* () {
    yield* start
    const opened = first(stacks[of]())
    const { lines, value } = yield* logged(
      given ? Effect.provide(opened, Layer.fresh(Backplane.layerMemory)) : opened,
    )
    expect(value).toMatchObject({ larder: "opened", at: 1_790_000_000_000, tiers, backplane })
    expect(value.version).toBe(packageJson.version)
    expect(value.warnings).toEqual(warns === undefined ? [] : [expect.stringContaining(warns)])
    expect(lines).toEqual(value.warnings.map((warning) => `opened: ${warning}`))
  }).pipe(Effect.scoped),
)

it.effect("every subscription begins with Opened, also a later one, and none after closing", () =>
  Effect.gen(function* () {
    yield* start
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make(stacks.memory()), scope)
    const one = yield* larder.subscribe
    yield* larder.get("k")
    yield* TestClock.adjust("1 second")
    const later = yield* larder.subscribe
    const events = [yield* PubSub.take(one), yield* PubSub.take(later)]
    expect(events[0]).toEqual(events[1])
    expect(events[0]).toMatchObject({ _tag: "Opened", at: 1_790_000_000_000 })
    expect((yield* PubSub.takeAll(one)).filter(({ _tag }) => _tag === "Opened")).toEqual([])
    yield* Scope.close(scope, Exit.void)
    expect(yield* Effect.exit(PubSub.take(yield* larder.subscribe))).toMatchObject({
      _tag: "Failure",
    })
  }).pipe(Effect.scoped),
)
