/** The laws at a glance, each over memory alone, memory and a shared tier, and a shared tier alone. */
import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
  shared: () => TierStack.layer(Layer.fresh(MemoryTier.layerShared)),
}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Lookup = (
  n: number,
  etag: string | undefined,
) => Effect.Effect<number | Upstream.NotModified, string>

type Extra = Partial<
  Pick<
    Larder.BaseOptions<number, string, string, never>,
    "tags" | "etag" | "failureFor" | "revision"
  >
>

/** A larder whose upstream is told how often it has been asked. */
const make = (lookup: Lookup, policy: Omit<Policy.Options, "freshFor"> = {}, extra: Extra = {}) =>
  Effect.gen(function* () {
    let asked = 0
    const larder = yield* Larder.make({
      name: "laws",
      value: Schema.Number,
      policy: Policy.make({ freshFor: "10 seconds", ...policy }),
      upstream: Upstream.make({
        lookup: (_: string, previous) =>
          Effect.suspend(() => {
            asked += 1
            return lookup(asked, previous?.etag)
          }),
      }),
      ...extra,
    })
    return { larder, asked: () => asked }
  })

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

const slow = (n: number) => Effect.delay(Effect.succeed(n), "1 second")

for (const [name, stack] of Object.entries(stacks)) {
  const inMemory = name !== "shared"

  const law = (
    title: string,
    body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  ) =>
    it.effect(title, () =>
      Effect.andThen(
        TestClock.setTime(1_790_000_000_000),
        body.pipe(Effect.scoped, Effect.provide(stack())),
      ),
    )

  describe(name, () => {
    law(
      "law 2: within staleWhileRevalidate 100 readers get the stale value at once, from one refresh",
      Effect.gen(function* () {
        const { asked, larder } = yield* make(slow, { staleWhileRevalidate: "10 seconds" })
        const first = yield* fork(larder.get("a"))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(first)).toBe(1)
        yield* TestClock.adjust("10 seconds")
        const readers = Array.from({ length: 100 }, () => larder.get("a"))
        expect(yield* Effect.all(readers, { concurrency: "unbounded" })).toEqual(Array(100).fill(1))
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("a")).toBe(2)
        expect(asked()).toBe(2)
      }),
    )

    law(
      "law 3: a failure within staleIfError gives the stale value, and upstream rests for retryAfterFailure",
      Effect.gen(function* () {
        const answers: Lookup = (n) =>
          n === 2 || n === 3 ? Effect.fail("down") : Effect.succeed(n)
        const { asked, larder } = yield* make(answers, { staleIfError: "60 seconds" })
        expect(yield* larder.get("a")).toBe(1)
        yield* TestClock.adjust("10 seconds")
        expect((yield* larder.read("a")).freshness).toEqual({ _tag: "Stale", grace: "error" })
        expect(yield* larder.get("a")).toBe(1)
        expect(yield* larder.get("a")).toBe(1)
        expect(asked()).toBe(2)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("a")).toBe(1)
        expect(asked()).toBe(3)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("a")).toBe(4)
      }),
    )

    law(
      "law 3: a lookup left behind by softTimeout goes on and is stored",
      Effect.gen(function* () {
        const answers: Lookup = (n) => (n === 1 ? Effect.succeed(1) : slow(n))
        const { asked, larder } = yield* make(answers, {
          staleIfError: "60 seconds",
          softTimeout: "100 millis",
        })
        yield* larder.get("a")
        yield* TestClock.adjust("10 seconds")
        const waiting = yield* fork(larder.get("a"))
        yield* TestClock.adjust("99 millis")
        expect(waiting.pollUnsafe()).toBe(undefined)
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(waiting)).toBe(1)
        yield* TestClock.adjust("900 millis")
        expect(yield* larder.get("a")).toBe(2)
        expect(asked()).toBe(2)
      }),
    )

    law(
      "law 4: nothing is served at staleUntil, whatever fails; the error is upstream's own",
      Effect.gen(function* () {
        const answers: Lookup = (n) => (n === 1 ? Effect.succeed(1) : Effect.fail("down"))
        const { larder } = yield* make(answers, { staleIfError: "5 seconds" })
        yield* larder.get("a")
        yield* TestClock.adjust("15 seconds")
        expect(yield* Effect.exit(larder.get("a"))).toEqual(Exit.fail("down"))
      }),
    )

    law(
      "law 7: remove detaches a running lookup; its caller gets the result, which is not kept",
      Effect.gen(function* () {
        const { asked, larder } = yield* make(slow)
        const before = yield* fork(larder.get("a"))
        yield* TestClock.adjust("500 millis")
        yield* larder.remove("a")
        const after = yield* fork(larder.get("a"))
        yield* TestClock.adjust("500 millis")
        expect(yield* Fiber.join(before)).toBe(1)
        expect((yield* larder.read("a")).freshness).toEqual({ _tag: "Missing" })
        yield* TestClock.adjust("500 millis")
        expect(yield* Fiber.join(after)).toBe(2)
        expect(yield* larder.get("a")).toBe(2)
        expect(asked()).toBe(2)
      }),
    )

    law(
      "law 7: clear detaches a running lookup, and does not leave its lease in the way",
      Effect.gen(function* () {
        const { asked, larder } = yield* make(slow)
        const before = yield* fork(larder.get("a"))
        yield* TestClock.adjust("500 millis")
        yield* larder.clear()
        const after = yield* fork(larder.get("a"))
        yield* TestClock.adjust("500 millis")
        expect(yield* Fiber.join(before)).toBe(1)
        yield* TestClock.adjust("500 millis")
        expect(yield* Fiber.join(after)).toBe(2)
        expect(yield* larder.get("a")).toBe(2)
        expect(asked()).toBe(2)
      }),
    )

    law(
      "law 7: with a tag invalidated every 50 ms every caller is answered within two lookups",
      Effect.gen(function* () {
        const answers: Lookup = (n) => Effect.delay(Effect.succeed(n), "100 millis")
        const { larder } = yield* make(answers, {}, { tags: () => ["t"] })
        const waits: Array<Fiber.Fiber<number, unknown>> = []
        const longest = 200
        for (let t = 0; t < 40; t++) {
          const took = Effect.map(Effect.timed(larder.get("a")), ([duration]) =>
            Duration.toMillis(duration),
          )
          waits.push(yield* fork(took))
          if (t % 5 === 4) yield* larder.invalidateTags(["t"])
          yield* TestClock.adjust("10 millis")
        }
        yield* TestClock.adjust("200 millis")
        const times = yield* Fiber.joinAll(waits)
        expect(Math.max(...times)).toBeLessThanOrEqual(longest)
        expect(Math.max(...times)).toBeGreaterThan(100)
      }),
    )

    law(
      "law 8: a lookup is interrupted when the last of those who wait has left, not before",
      Effect.gen(function* () {
        let interrupted = 0
        const answers: Lookup = (n) =>
          Effect.onInterrupt(slow(n), () => Effect.sync(() => (interrupted += 1)))
        const { larder } = yield* make(answers)
        const one = yield* fork(larder.get("a"))
        const other = yield* fork(larder.get("a"))
        yield* Fiber.interrupt(one)
        expect(interrupted).toBe(0)
        yield* Fiber.interrupt(other)
        yield* Effect.yieldNow
        expect(interrupted).toBe(1)
        const next = yield* fork(larder.get("a"))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(next)).toBe(2)
      }),
    )

    law(
      "law 9: at hardTimeout the key is free again, though the lookup disobeys its interruption",
      Effect.gen(function* () {
        const answers: Lookup = (n) =>
          n === 1 ? Effect.uninterruptible(Effect.never) : Effect.succeed(n)
        const { larder } = yield* make(answers, { hardTimeout: "100 millis" })
        const stuck = yield* fork(Effect.exit(larder.get("a")))
        yield* TestClock.adjust("100 millis")
        expect(defectOf(yield* Fiber.join(stuck))).toMatchObject({ _tag: "LookupTimeout" })
        expect(yield* larder.get("a")).toBe(2)
      }),
    )

    law(
      "not modified: the entry is fresh again with its old value, tags and etag",
      Effect.gen(function* () {
        const answers: Lookup = (n, etag) => {
          if (n === 1) return Effect.succeed(7)
          return etag === "v7" ? Effect.succeed(Upstream.notModified) : Effect.fail("no etag")
        }
        const { asked, larder } = yield* make(
          answers,
          { staleIfError: "5 seconds" },
          { etag: (value) => `v${value}`, tags: () => ["t"] },
        )
        yield* larder.get("a")
        yield* TestClock.adjust("10 seconds")
        expect(yield* larder.get("a")).toBe(7)
        const { entry, freshness } = yield* larder.read("a")
        expect(freshness).toEqual({ _tag: "Fresh" })
        expect(entry).toMatchObject({ value: 7, etag: "v7", tags: ["t"] })
        expect(asked()).toBe(2)
      }),
    )

    law(
      "failureFor: the same error for as long, then upstream is asked again",
      Effect.gen(function* () {
        const { larder } = yield* make(
          (n) => Effect.fail(`e${n}`),
          {},
          { failureFor: () => "5 seconds" },
        )
        expect(yield* Effect.flip(larder.get("a"))).toBe("e1")
        yield* TestClock.adjust("4999 millis")
        expect(yield* Effect.flip(larder.get("a"))).toBe("e1")
        yield* TestClock.adjust("1 millis")
        expect(yield* Effect.flip(larder.get("a"))).toBe("e2")
      }),
    )

    law(
      "maxAge: what is older is only given when the lookup fails",
      Effect.gen(function* () {
        const answers: Lookup = (n) => (n === 3 ? Effect.fail("down") : Effect.succeed(n))
        const { asked, larder } = yield* make(answers)
        yield* larder.get("a")
        yield* TestClock.adjust("5 seconds")
        expect(yield* larder.get("a", { maxAge: "5 seconds" })).toBe(1)
        expect(yield* larder.get("a", { maxAge: "4 seconds" })).toBe(2)
        yield* TestClock.adjust("5 seconds")
        expect(yield* larder.get("a", { maxAge: "4 seconds" })).toBe(2)
        expect(asked()).toBe(3)
      }),
    )

    law(
      "revision: what a lagging replica gives is not kept, and its callers get what is known",
      Effect.gen(function* () {
        const answers: Lookup = (n) => Effect.succeed([5, 4, 6][n - 1] ?? 0)
        const { asked, larder } = yield* make(
          answers,
          { staleIfError: "60 seconds" },
          { revision: (value) => value },
        )
        expect(yield* larder.get("a")).toBe(5)
        yield* TestClock.adjust("10 seconds")
        expect(yield* larder.get("a")).toBe(5)
        expect(yield* larder.get("a")).toBe(5)
        expect(asked()).toBe(2)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("a")).toBe(6)
      }),
    )

    if (inMemory) {
      law(
        "early refresh after(0.8): the old value at once, upstream once, the next read new",
        Effect.gen(function* () {
          const { asked, larder } = yield* make((n) => Effect.succeed(n), {
            earlyRefresh: EarlyRefresh.after(0.8),
          })
          yield* larder.get("a")
          yield* TestClock.adjust("7999 millis")
          yield* larder.get("a")
          expect(asked()).toBe(1)
          yield* TestClock.adjust("101 millis")
          expect(yield* larder.get("a")).toBe(1)
          expect(yield* larder.get("a")).toBe(2)
          expect(asked()).toBe(2)
        }),
      )

      law(
        "early refresh on a schedule: a key read in bursts is refreshed between them",
        Effect.gen(function* () {
          const { asked, larder } = yield* make((n) => Effect.succeed(n), {
            earlyRefresh: EarlyRefresh.scheduled(
              EarlyRefresh.after(0.8),
              Schedule.spaced("500 millis"),
            ),
          })
          yield* larder.get("a")
          yield* TestClock.adjust("3 seconds")
          yield* larder.get("a")
          yield* TestClock.adjust("4900 millis")
          expect(asked()).toBe(1)
          yield* TestClock.adjust("700 millis")
          expect(asked()).toBe(2)
          // Nobody reads it any more, so nobody refreshes it any more.
          yield* TestClock.adjust("1 minute")
          expect(asked()).toBe(2)
        }),
      )
    }

    it.effect(
      "law 22: those who wait when the larder closes get LarderClosed, as do those who come later",
      () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { larder } = yield* Scope.provide(
            make(() => Effect.uninterruptible(Effect.never)),
            scope,
          )
          const waiting = yield* fork(Effect.exit(larder.get("a")))
          const closing = yield* fork(Scope.close(scope, Exit.void))
          expect(defectOf(yield* Fiber.join(waiting))).toMatchObject({ _tag: "LarderClosed" })
          yield* TestClock.adjust("4999 millis")
          expect(closing.pollUnsafe()).toBe(undefined)
          yield* TestClock.adjust("1 millis")
          yield* Fiber.join(closing)
          expect(defectOf(yield* Effect.exit(larder.get("a")))).toMatchObject({
            _tag: "LarderClosed",
          })
        }).pipe(Effect.provide(stack())),
    )
  })
}
