/** A write of the source, while the arbiter does not hear of another change of its key by the same node. */
import { expect } from "@effect/vitest"
import type { Larder } from "@larder/core"
import { Deferred, Effect, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { Faults } from "./support/faultyTier.ts"
import { fork, law, type Node } from "./support/twoWays.ts"

type Change = (node: Node, write: Effect.Effect<number>) => Effect.Effect<unknown, unknown>

const writes: Readonly<Record<string, Change>> = {
  update: (node, write) => node.update("k", () => Effect.map(write, Option.some)),
  through: (node, write) => write.pipe(node.through("k")),
}

const fails = (write: Effect.Effect<number>) => Effect.andThen(write, Effect.fail("unknown"))

const changes: Readonly<Record<string, Change>> = {
  around: (node, write) => write.pipe(node.around("k")),
  "around that expires before": (node, write) => write.pipe(node.around("k", { before: "expire" })),
  "around that fails": (node, write) => fails(write).pipe(node.around("k")),
  "through that fails": (node, write) => fails(write).pipe(node.through("k")),
  remove: (node, write) => Effect.andThen(write, node.remove("k")),
  expire: (node, write) => Effect.andThen(write, node.expire("k")),
}

const isFreshAs = (value: number) => (node: Pick<Larder.Larder<string, number, unknown>, "read">) =>
  Effect.map(
    node.read("k"),
    ({ entry, freshness }) => freshness._tag === "Fresh" && entry?.value === value,
  )

for (const [how, write] of Object.entries(writes)) {
  for (const [what, change] of Object.entries(changes)) {
    law(
      `law 23: a change that the arbiter misses during ${how} is not replaced by it: ${what}`,
      ({ join }) =>
        Effect.gen(function* () {
          const faults = new Faults()
          const a = yield* join(faults)
          const b = yield* join()
          yield* a.set("k", 1)
          const gate = yield* Deferred.make<void>()
          let source = 1
          const saved = (value: number) => Effect.sync(() => (source = value))
          const writing = yield* fork(
            Effect.exit(write(a, Effect.tap(saved(2), Deferred.await(gate)))),
          )
          yield* TestClock.adjust(1)
          faults.turn("fail", "all")
          const missed = yield* fork(Effect.exit(change(a, saved(3))))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(missed)
          faults.turn("none", "all")
          yield* Deferred.succeed(gate, undefined)
          yield* TestClock.adjust("30 seconds")
          yield* Fiber.join(writing)
          const old = source === 3 ? 2 : 3
          for (const node of [a, b]) expect(yield* isFreshAs(old)(node)).toBe(false)
        }),
    )
  }
}
