/** What callers are given, and what they give, is not what the larder has: they cannot change it by accident. */
import { expect, it } from "@effect/vitest"
import { type Entry, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, type Scope } from "effect"
import { TestClock } from "effect/testing"

const previous: Array<Entry.Entry<string>> = []

const make = Larder.make({
  name: "handed out",
  upstream: Upstream.make({
    lookup: (key: string, before: Entry.Entry<string> | undefined) =>
      Effect.sync(() => {
        if (before !== undefined) previous.push(before)
        return key
      }),
  }),
  policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
  tags: () => ["price:120"],
})

const spoil = (entry: Entry.Entry<string> | undefined) => {
  Object.assign(entry!, { freshUntil: 8e15, staleUntil: 8e15, storedAt: 0 })
  ;(entry!.tags as Array<string>).push("spoiled")
}

const provided = <A, E>(body: Effect.Effect<A, E, TierStack.TierStack | Scope.Scope>) =>
  body.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))

it.effect("laws 4, 13: changing an entry that a caller was given changes nothing in memory", () =>
  Effect.gen(function* () {
    const larder = yield* make
    spoil((yield* larder.getWithMeta("milk")).entry)
    spoil((yield* larder.getWithMeta("milk")).entry)
    spoil((yield* larder.read("milk")).entry)
    for (const { entry } of yield* larder.entries) spoil(entry)
    yield* larder.invalidateTags("spoiled")
    expect((yield* larder.read("milk")).freshness._tag).toBe("Fresh")
    yield* TestClock.adjust("1 minute")
    expect((yield* larder.read("milk")).freshness._tag).toBe("Stale")
    yield* larder.refresh("milk")
    spoil(previous.at(-1))
    yield* TestClock.adjust("2 hours")
    expect((yield* larder.read("milk")).freshness._tag).toBe("Missing")
  }).pipe(provided),
)

it.effect("a string is one tag", () =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.get("milk")
    yield* larder.invalidateTags("price:120")
    expect((yield* larder.read("milk")).freshness._tag).toBe("Stale")
  }).pipe(provided),
)

it.effect("a string is no list of keys, but a defect that says so", () =>
  Effect.gen(function* () {
    const larder = yield* make
    const exit = yield* Effect.exit(larder.getMany("milk"))
    expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toBe(
      'InvalidOptions: Larder: getMany of "handed out" must get an iterable of keys, such as an array; `get` takes one key, got "milk"',
    )
  }).pipe(provided),
)
