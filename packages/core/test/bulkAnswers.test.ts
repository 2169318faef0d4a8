/** The answers of a bulk lookup for a key: a value, an `Exit`, or none. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, PubSub, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

import { Faults, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyTier(new Faults())),
  shared: () => TierStack.layer(faultyTier(new Faults())),
} as const

const policy = Policy.make({ freshFor: "1 hour" })

/** "left…" is left out of the answer, "bad…" fails, "dies…" dies, "ends…" is interrupted. */
const make = (extra: Partial<Larder.BaseOptions<number, string, string, never>> = {}) =>
  Effect.gen(function* () {
    const state = { bulk: 0, single: 0 }
    const outcome = (key: string): Upstream.Answer<number, string> => {
      if (key.startsWith("bad")) return Exit.fail(`no ${key}`)
      if (key.startsWith("dies")) return Exit.die("broken")
      if (key.startsWith("ends")) return Exit.interrupt()
      return key.startsWith("exit") ? Exit.succeed(key.length) : key.length
    }
    const larder = yield* Larder.make({
      name: "bulk",
      value: Schema.Finite,
      policy,
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.suspend(() => {
            state.single += 1
            const answer = outcome(key)
            return Exit.isExit(answer) ? answer : Effect.succeed(answer)
          }),
        lookupMany: (keys) =>
          Effect.sync(() => {
            state.bulk += 1
            const known = keys.filter((key) => !key.startsWith("left"))
            return new Map(known.map((key) => [key, outcome(key)]))
          }),
      }),
      ...extra,
    })
    return { larder, state }
  })

const defectOf = (exit: Exit.Exit<unknown, unknown> | undefined) =>
  exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe.each(Object.entries(stacks))("over %s", (_, stack) => {
  const test = (
    title: string,
    body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  ) => it.effect(title, () => body.pipe(Effect.scoped, Effect.provide(stack())))

  test(
    "law 9: a get of a key that the bulk lookup has just left out gets the stale value at once",
    Effect.gen(function* () {
      const { larder, state } = yield* make({
        policy: Policy.make({ freshFor: 100, staleIfError: "1 hour", retryAfterFailure: "1 hour" }),
        graceFor: () => false,
      })
      yield* larder.set("left", 1)
      yield* TestClock.adjust(100)
      const many = yield* larder.getMany(["left"])
      expect(Exit.isFailure(many.get("left")!)).toBe(true)
      const got = yield* Effect.forkChild(larder.get("left"), { startImmediately: true })
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(got)).toBe(1)
      expect(state.single).toBe(0)
    }),
  )

  test(
    "each key has the outcome that its exit says, and what failed is not kept",
    Effect.gen(function* () {
      const { larder } = yield* make()
      const exits = yield* larder.getMany(["value", "exit", "bad", "dies", "ends", "left"])
      expect(exits.get("value")).toEqual(Exit.succeed(5))
      expect(exits.get("exit")).toEqual(Exit.succeed(4))
      expect(exits.get("bad")).toEqual(Exit.fail("no bad"))
      expect(defectOf(exits.get("dies"))).toBe("broken")
      expect(defectOf(exits.get("ends"))).toBeInstanceOf(Larder.LookupInterrupted)
      expect(defectOf(exits.get("left"))).toMatchObject({ _tag: "KeyNotReturned", key: "left" })
      yield* TestClock.adjust(1)
      const fresh: Array<string> = []
      for (const key of exits.keys()) {
        if ((yield* larder.read(key)).freshness._tag === "Fresh") fresh.push(key)
      }
      expect(fresh).toEqual(["value", "exit"])
    }),
  )

  test(
    "failureFor remembers the failure of one key, and a key that is left out as KeyNotReturned",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { larder, state } = yield* make({
        failureFor: (error) => {
          seen.push(error)
          return "1 minute"
        },
      })
      for (let i = 0; i < 3; i++) {
        const exits = yield* larder.getMany(["bad", "left"])
        expect(exits.get("bad")).toEqual(Exit.fail("no bad"))
        expect(defectOf(exits.get("left"))).toMatchObject({ _tag: "KeyNotReturned" })
      }
      expect(state.bulk).toBe(1)
      expect(seen).toEqual([
        "no bad",
        expect.objectContaining({ _tag: "KeyNotReturned", key: "left" }),
      ])
      // A caller of one key cannot be told so: it asks, and finds what there is.
      expect(yield* larder.get("left")).toBe(4)
      expect(state.single).toBe(1)
      expect((yield* larder.getMany(["left"])).get("left")).toEqual(Exit.succeed(4))
      yield* TestClock.adjust("1 minute")
      yield* larder.getMany(["bad"])
      expect(state.bulk).toBe(2)
    }),
  )

  test(
    "without failureFor a key that is left out is asked for again",
    Effect.gen(function* () {
      const { larder, state } = yield* make()
      yield* larder.getMany(["left"])
      yield* larder.getMany(["left"])
      expect(state.bulk).toBe(2)
    }),
  )

  test(
    "one count: lookups are keys looked up, in stats as in events",
    Effect.gen(function* () {
      const { larder } = yield* make()
      const events = yield* larder.subscribe
      yield* larder.getMany(["a", "bb", "ccc", "left", "bad"])
      yield* larder.get("d")
      yield* TestClock.adjust(1)
      const told = (yield* PubSub.takeAll(events)).map(({ _tag }) => _tag)
      const count = (tag: string) => told.filter((one) => one === tag).length
      const stats = yield* larder.stats
      expect(stats).toMatchObject({ lookups: 6, lookupsSucceeded: 4, lookupsFailed: 2 })
      expect(count("LookupStarted")).toBe(stats.lookups)
      expect(count("LookupSucceeded")).toBe(stats.lookupsSucceeded)
      expect(count("LookupFailed")).toBe(stats.lookupsFailed)
    }),
  )

  test(
    "one count: a bulk lookup that takes too long times out for each of its keys",
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "bulk",
        value: Schema.Finite,
        policy: Policy.make({ freshFor: "1 hour", hardTimeout: "1 second" }),
        upstream: Upstream.make({
          lookup: (_: string) => Effect.succeed(1),
          lookupMany: (_) => Effect.never,
        }),
      })
      yield* Effect.forkChild(larder.getMany(["a", "b", "c"]), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      expect(yield* larder.stats).toMatchObject({ lookups: 3, lookupsTimedOut: 3 })
    }),
  )
})
