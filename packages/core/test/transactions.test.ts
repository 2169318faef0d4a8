/** Law 24: what a transaction has not committed, nobody sees; rolled back, it leaves no trace. */
import { expect } from "@effect/vitest"
import { AfterCommit } from "@larder/core"
import { Effect, Exit, Fiber, Option, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults } from "./support/faultyTier.ts"
import { lardersOf, passing } from "./support/sourceWorld.ts"
import { fork, law, type Node, type World } from "./support/twoWays.ts"

const fresh = (node: Node, key = "k") =>
  Effect.map(node.read(key), ({ entry, freshness }) =>
    freshness._tag === "Fresh" ? entry?.value : freshness._tag,
  )

/** A transaction of a client that runs what was registered once it has committed. */
const transaction = <A, E, R>(effect: Effect.Effect<A, E, R>, ends: "commits" | "rolls back") =>
  Effect.gen(function* () {
    const registered: Array<Effect.Effect<void>> = []
    const afterCommit: AfterCommit.AfterCommit = (then) =>
      Effect.sync(() => {
        registered.push(then)
      })
    const exit = yield* Effect.exit(
      Effect.provideService(effect, AfterCommit.AfterCommit, afterCommit),
    )
    if (ends === "commits") yield* Effect.all(registered, { discard: true })
    return exit
  })

type Write = (node: Node) => Effect.Effect<unknown, unknown>

const writes: Readonly<Record<string, { readonly write: Write; readonly after: unknown }>> = {
  around: { write: (node) => Effect.void.pipe(node.around("k")), after: "Missing" },
  "around, expired before": {
    write: (node) => Effect.void.pipe(node.around("k", { before: "expire" })),
    after: "Missing",
  },
  "around that fails": {
    write: (node) => Effect.fail("no").pipe(node.around("k")),
    after: "Stale",
  },
  "around of a tag": {
    write: (node) => Effect.void.pipe(node.around({ tags: "v1" })),
    after: "Stale",
  },
  through: { write: (node) => Effect.succeed(2).pipe(node.through("k")), after: 2 },
  "through that fails": {
    write: (node) => Effect.fail("no").pipe(node.through("k")),
    after: "Stale",
  },
  update: { write: (node) => node.update("k", () => Effect.succeedSome(2)), after: 2 },
  "update that fails": {
    write: (node) => node.update("k", () => Effect.fail("no")),
    after: "Stale",
  },
}

/** Plays a write in a transaction, and what others see before and after its end. */
const play = (
  { join }: World,
  write: Write,
  ends: "commits" | "rolls back",
  during: (a: Node, b: Node) => Effect.Effect<void, unknown> = () => Effect.void,
): Effect.Effect<{ readonly a: unknown; readonly b: unknown }, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    yield* fresh(b)
    const body = Effect.gen(function* () {
      const exit = yield* Effect.exit(write(a))
      expect(yield* fresh(a)).toBe(1)
      expect(yield* fresh(b)).toBe(1)
      yield* during(a, b)
      return yield* exit
    })
    yield* transaction(body, ends)
    yield* TestClock.adjust(5)
    return { a: yield* fresh(a), b: yield* fresh(b) }
  })

for (const [name, { after, write }] of Object.entries(writes)) {
  law(`law 24: ${name} takes effect at the commit, on every node`, (world) =>
    Effect.map(play(world, write, "commits"), (seen) => {
      expect(seen).toEqual({ a: after, b: after })
    }),
  )

  law(`law 24: ${name} leaves no trace of a transaction that rolls back`, (world) =>
    Effect.map(play(world, write, "rolls back"), (seen) => {
      expect(seen).toEqual({ a: 1, b: 1 })
    }),
  )
}

for (const name of ["through", "update"]) {
  const { write } = writes[name]!
  law(
    `law 23: a change between ${name} and the commit leaves no value of the transaction`,
    (world) =>
      Effect.map(
        play(world, write, "commits", (_, b) => b.set("k", 5)),
        (seen) => {
          expect(seen).toEqual({ a: "Missing", b: "Missing" })
        },
      ),
  )

  law(`nobody waits for ${name} in a transaction that goes on`, ({ join }) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      const reading = yield* transaction(
        Effect.gen(function* () {
          yield* write(a)
          yield* TestClock.adjust(5)
          const updated = yield* fork(b.update("k", () => Effect.succeedSome(9)))
          yield* TestClock.adjust(5)
          return yield* Fiber.join(updated)
        }),
        "rolls back",
      )
      expect(reading).toStrictEqual(Exit.succeed(Option.some(9)))
    }),
  )
}

law("without an arbiter a transaction's value is not stored, since nothing orders it", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(0))
    yield* larder!.get("k")
    yield* transaction(Effect.succeed(2).pipe(larder!.through("k")), "commits")
    expect(yield* larder!.has("k")).toBe(false)
    yield* larder!.get("k")
    yield* transaction(
      larder!.update("k", () => Effect.succeedSome(2)),
      "commits",
    )
    expect(yield* larder!.has("k")).toBe(false)
  }),
)

law("a tier that is away at the commit: the commit holds, and the change follows", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    const b = yield* join()
    yield* a.set("k", 1)
    yield* fresh(b)
    const body = Effect.gen(function* () {
      yield* Effect.void.pipe(a.around("k", { require: "settled" }))
      faults.turn("fail", "all")
      return "committed"
    })
    const exit = yield* passing(transaction(body, "commits"), 50)
    expect(exit).toStrictEqual(Exit.succeed("committed"))
    faults.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    expect(yield* fresh(b)).toBe("Missing")
  }),
)
