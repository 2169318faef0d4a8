/**
 * Random sequences of everything a larder can do, against what the laws allow.
 * A failure prints fast-check's seed and path; `LARDER_SEED=<seed>` runs the same sequences again.
 */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { faultyShared, type Health, Line } from "./support/faultyShared.ts"

const keys = ["a", "b", "c"] as const
type Key = (typeof keys)[number]

type Command =
  | { readonly _tag: "get"; readonly key: Key }
  | { readonly _tag: "getMany" }
  | { readonly _tag: "read"; readonly key: Key }
  | { readonly _tag: "set" | "expire" | "remove" | "refresh"; readonly key: Key }
  | { readonly _tag: "tags"; readonly keepStale: boolean }
  | { readonly _tag: "clear"; readonly keepStale: boolean }
  | { readonly _tag: "wait"; readonly millis: number }
  | { readonly _tag: "interrupt"; readonly nth: number }
  | { readonly _tag: "upstream"; readonly mood: Mood }
  | { readonly _tag: "tier"; readonly health: Health }

/** How upstream answers from now on. */
type Mood = "quick" | "slow" | "fails" | "failsSlowly" | "dies"

const key = fc.constantFrom(...keys)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ _tag: fc.constant("get"), key }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("getMany") }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("read"), key }) },
  {
    weight: 4,
    arbitrary: fc.record({ _tag: fc.constantFrom("set", "expire", "remove", "refresh"), key }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ _tag: fc.constantFrom("tags", "clear"), keepStale: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      _tag: fc.constant("wait"),
      millis: fc.constantFrom(1, 10, 29, 30, 31, 100, 400, 1_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("interrupt"), nth: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("upstream"),
      mood: fc.constantFrom("quick", "slow", "slow", "fails", "failsSlowly", "dies"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("tier"),
      health: fc.constantFrom("well", "well", "slow", "failing", "hanging"),
    }),
  },
)

const policy = Policy.make({
  freshFor: 100,
  staleWhileRevalidate: 100,
  staleIfError: 400,
  hardTimeout: 200,
  retryAfterFailure: 20,
  tierTimeout: 20,
})
const lifeMillis = 500
/** tierBudget + lease wait + hardTimeout */
const longestWait = 40 + 10_000 + 200
/** A flight may have been detached while it was still reading tiers or waiting for its lease. */
const mayReadTiersFor = 200

/** A value as upstream gives it: which lookup brought it. Those that were set have negative numbers. */
const Value = Schema.Struct({ key: Schema.String, id: Schema.Finite })
type Value = typeof Value.Type

interface Origin {
  readonly key: string
  /** Place in the order of everything that happens. */
  readonly began: number
  readonly beganAt: number
  vouchedAt: number
}

interface Invalidation {
  /** Undefined: of every key. */
  readonly key: string | undefined
  readonly keepStale: boolean
  readonly began: number
  ended: number
  endedAt: number
  settled: boolean
}

interface Asked {
  readonly key: string
  readonly came: number
  readonly cameAt: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  interrupted: boolean
}

class World {
  order = 0
  mood: Mood = "quick"
  nextId = 0
  readonly origins = new Map<number, Origin>()
  readonly invalidations: Array<Invalidation> = []
  readonly asked: Array<Asked> = []
  readonly running = new Map<string, Set<number>>()
  readonly problems: Array<string> = []

  tick() {
    this.order += 1
    return this.order
  }

  check(holds: boolean, problem: () => string) {
    if (!holds) this.problems.push(problem())
  }
}

const lookup = (world: World, key: string): Effect.Effect<Value, string> =>
  Effect.gen(function* () {
    const id = (world.nextId += 1)
    const began = world.tick()
    const beganAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const others = world.running.get(key) ?? new Set<number>()
    world.running.set(key, others)
    for (const other of others) {
      const since = world.origins.get(other)!.beganAt - mayReadTiersFor
      // Law 7: a second one only for another generation, or where the first was given up.
      const detached = world.invalidations.some(
        (one) => (one.key ?? key) === key && one.endedAt >= since,
      )
      const gone = world.asked.some((one) => one.interrupted && one.key === key)
      world.check(detached || gone, () => `lookup ${id} of ${key} beside ${other}`)
    }
    others.add(id)
    const origin: Origin = { key, began, beganAt, vouchedAt: Infinity }
    world.origins.set(id, origin)
    const { mood } = world
    return yield* Effect.gen(function* () {
      if (mood === "slow" || mood === "failsSlowly") yield* Effect.sleep(30)
      if (mood === "fails" || mood === "failsSlowly") return yield* Effect.fail("down")
      if (mood === "dies") return yield* Effect.die("broken")
      origin.vouchedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      return { key, id }
    }).pipe(Effect.ensuring(Effect.sync(() => others.delete(id))))
  })

type Subject = Larder.Larder<string, Value, string>

/** Whether what a caller got is allowed by the laws. */
const judge = (
  world: World,
  asked: Pick<Asked, "key" | "came">,
  given: Larder.WithMeta<Value>,
  now: number,
) => {
  const { id, key } = given.value
  world.check(key === asked.key, () => `asked ${asked.key}, got ${key}`)
  const origin = world.origins.get(id)
  if (origin === undefined) {
    world.problems.push(`${id} comes from nowhere`)
    return
  }
  world.check(now < origin.vouchedAt + lifeMillis, () => `law 4: ${id} of ${key} served at ${now}`)
  for (const one of world.invalidations) {
    const covers = one.key === undefined || one.key === key
    if (!covers || !one.settled || one.ended > asked.came || origin.began > one.began) continue
    const asError = given.freshness._tag === "Stale" && given.freshness.grace === "error"
    world.check(one.keepStale && asError, () => {
      const how = `${given.freshness._tag} from ${given.tier}`
      return `laws 11, 12: ${id} of ${key}, begun ${origin.began}, given ${how} to one who came at ${asked.came}, after ${JSON.stringify(one)}`
    })
  }
}

const ask = (world: World, larder: Subject, key: string) =>
  Effect.gen(function* () {
    const came = world.tick()
    const cameAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const getting = Effect.gen(function* () {
      const exit = yield* Effect.exit(larder.getWithMeta(key))
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      world.check(now - cameAt <= longestWait, () => `law 9: ${key} took ${now - cameAt}`)
      if (Exit.isSuccess(exit)) judge(world, { key, came }, exit.value, now)
      else {
        const interrupted = Cause.hasInterrupts(exit.cause)
        world.check(!interrupted, () => `law 6: ${key} ended with an interruption`)
      }
    })
    const fiber = yield* Effect.forkChild(getting, { startImmediately: true })
    world.asked.push({ key, came, cameAt, fiber, interrupted: false })
  })

const invalidate = (
  world: World,
  key: string | undefined,
  keepStale: boolean,
  effect: Effect.Effect<Larder.Ack, unknown>,
) =>
  Effect.gen(function* () {
    const one: Invalidation = {
      key,
      keepStale,
      began: world.tick(),
      ended: Infinity,
      endedAt: Infinity,
      settled: false,
    }
    world.invalidations.push(one)
    const whole = Effect.gen(function* () {
      const { settled } = yield* effect
      one.endedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      one.ended = world.tick()
      one.settled = settled
    })
    yield* Effect.forkChild(whole, { startImmediately: true })
  })

const carryOut = (world: World, larder: Subject, line: Line, command: Command) =>
  Effect.gen(function* () {
    switch (command._tag) {
      case "get":
        return yield* ask(world, larder, command.key)
      case "getMany": {
        const came = world.tick()
        const getting = Effect.map(larder.getMany([...keys, "a"]), (exits) => {
          world.check([...exits.keys()].join("") === "abc", () => "getMany: order of keys")
          for (const [key, exit] of exits) {
            if (Exit.isSuccess(exit)) world.check(exit.value.key === key, () => "getMany: mixed up")
          }
        })
        const fiber = yield* Effect.forkChild(getting, { startImmediately: true })
        for (const key of keys)
          world.asked.push({ key, came, cameAt: 0, fiber, interrupted: false })
        return
      }
      case "read": {
        const came = world.tick()
        const reading = Effect.gen(function* () {
          const { entry, freshness, tier } = yield* larder.read(command.key)
          if (entry === undefined) return
          const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          judge(
            world,
            { key: command.key, came },
            { value: entry.value, freshness, tier: tier ?? "", age: 0 },
            now,
          )
        })
        yield* Effect.forkChild(reading, { startImmediately: true })
        return
      }
      case "set": {
        const id = -(world.nextId += 1)
        const vouchedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const setting = larder.set(command.key, { key: command.key, id })
        yield* invalidate(world, command.key, false, setting)
        // Right after its own beginning: it is newer than what it replaces.
        const { began } = world.invalidations.at(-1)!
        world.origins.set(id, {
          key: command.key,
          began: began + 0.5,
          beganAt: vouchedAt,
          vouchedAt,
        })
        return
      }
      case "expire":
        return yield* invalidate(world, command.key, true, larder.expire(command.key))
      case "remove":
        return yield* invalidate(world, command.key, false, larder.remove(command.key))
      case "refresh": {
        const refreshed = Effect.as(Effect.exit(larder.refresh(command.key)), {
          version: 0,
          settled: false,
          pending: [],
        })
        yield* invalidate(world, command.key, true, refreshed)
        // It detaches what is running when it begins, whatever becomes of it.
        const one = world.invalidations.at(-1)!
        one.ended = world.tick()
        one.endedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        return
      }
      case "tags":
        return yield* invalidate(
          world,
          undefined,
          command.keepStale,
          larder.invalidateTags(["t"], command),
        )
      case "clear":
        return yield* invalidate(world, undefined, command.keepStale, larder.clear(command))
      case "wait":
        return yield* TestClock.adjust(command.millis)
      case "interrupt": {
        const one = world.asked.at(-1 - command.nth)
        if (one === undefined) return
        for (const other of world.asked) other.interrupted ||= other.fiber === one.fiber
        return yield* Fiber.interrupt(one.fiber)
      }
      case "upstream":
        world.mood = command.mood
        return
      case "tier":
        line.health = command.health
    }
  })

const stacks = {
  "memory alone": (_: Line) => TierStack.layer(MemoryTier.layer({ maxEntries: 2 })),
  "memory and shared": (line: Line) =>
    TierStack.layer(MemoryTier.layer({ maxEntries: 2 }), faultyShared(line)),
  "shared alone": (line: Line) => TierStack.layer(faultyShared(line)),
}

const run = (stack: (typeof stacks)[keyof typeof stacks], commands: ReadonlyArray<Command>) => {
  const line = new Line()
  const world = new World()
  const program = Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const scope = yield* Scope.make()
    const larder = yield* Larder.make({
      name: "properties",
      value: Value,
      upstream: Upstream.make({ lookup: (key: string) => lookup(world, key) }),
      policy,
      tags: () => ["t"],
    }).pipe(Scope.provide(scope))
    for (const command of commands) {
      yield* carryOut(world, larder, line, command)
      const { entries } = yield* larder.stats
      world.check(entries <= 2, () => `law 17: ${entries} entries`)
    }
    // Everything is well again, and what was missed is made up for.
    world.mood = "quick"
    line.health = "well"
    yield* TestClock.adjust(longestWait + 20_000)
    for (const { fiber, key } of world.asked) {
      world.check(fiber.pollUnsafe() !== undefined, () => `law 9: a get of ${key} never ended`)
    }
    for (const key of keys) {
      const given = yield* Effect.exit(larder.getWithMeta(key))
      world.check(Exit.isSuccess(given), () => `${key} does not recover`)
    }
    const { inFlight } = yield* larder.stats
    world.check(inFlight === 0, () => `${inFlight} lookups never ended`)
    yield* Scope.close(scope, Exit.void)
  })
  return Effect.runPromise(
    program.pipe(Effect.scoped, Effect.provide(stack(line)), Effect.provide(TestClock.layer())),
  ).then(() => {
    expect(world.problems).toEqual([])
  })
}

const seed = process.env["LARDER_SEED"]

describe.each(Object.entries(stacks))("any sequence keeps the laws: %s", (_, stack) => {
  it("500 random sequences", { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), (commands) =>
        run(stack, commands),
      ),
      { numRuns: 500, ...(seed === undefined ? {} : { seed: Number(seed) }) },
    ),
  )
})
