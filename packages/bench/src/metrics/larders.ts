/** The larders whose metrics are counted and read: stacks of one to three tiers, with few options and with all. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Detectors, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { SqliteTier } from "@larder/sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"

const memory = MemoryTier.layer()

const withFile = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-metrics-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true })),
    ),
    (folder) =>
      TierStack.layer(
        memory,
        SqliteTier.layer({ filename: join(folder, "larder.db") }),
        MemoryTier.layerShared,
      ),
  ),
)

/** By what they are made of. The shared tier is the arbiter. */
export const stacks = {
  memory: TierStack.layer(memory),
  "memory, shared": TierStack.layer(memory, MemoryTier.layerShared),
  "memory, file, shared": Layer.orDie(withFile),
}

export type Stack = keyof typeof stacks

/** What larders have besides their tiers. */
export const equipment = {
  plain: "a lookup and a policy",
  guarded: "also a circuit breaker, permits, an objective",
  watched: "also an audit and detectors",
}

export type Equipment = keyof typeof equipment

const lookup = (key: string) => Effect.succeed(key.length)
const upstream = Upstream.make({ lookup })
const guarded = upstream.pipe(
  Upstream.withCircuitBreaker(),
  Upstream.withConcurrency({ foreground: 2, background: 1, queue: 1 }),
)
const policy = Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" })

const plain = (name: string) => Larder.make({ name, value: Schema.Finite, upstream, policy })

const equipped = (name: string, audit: Larder.AuditOptions<number> | undefined) =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: guarded,
    policy,
    objective: { youngerThan: "30 seconds", share: 0.99 },
    audit,
  })

/** Makes a larder. */
export const make = (kind: Equipment, name: string) => {
  if (kind === "plain") return plain(name)
  return equipped(name, kind === "watched" ? {} : undefined)
}

/** Runs an effect over a stack, with a registry of its own. */
export const over = <A, E, R>(stack: Stack, kind: Equipment, effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.scoped,
    Effect.provide([stacks[stack], kind === "watched" ? Detectors.layer() : Layer.empty]),
    Effect.provideService(Metric.MetricRegistry, new Map()),
  )
