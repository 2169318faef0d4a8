/** Law 30: a lease alone has one holder of its newest token, and a holder learns of its loss in time. */
import { describe, expect, it } from "@effect/vitest"
import {
  InvalidOptions,
  Larder,
  Lease,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Clock, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { drawing, seed as firstSeed } from "./support/seeded.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** What becomes of a node's requests to the tier. */
type Link = "up" | "slow" | "refuses" | "hangs" | "loses answers"

interface Node {
  link: Link
  /** The requests that it sent. */
  readonly sent: Array<string>
  readonly tier: Layer.Layer<Tier.Tier>
  /** Called with each answer while the link is up. */
  onAnswer?: () => void
}

/** Whether, and how soon, messages of the tier reach a node. */
type Notifies = "at once" | "slowly" | "never"

const slowMillis = 30

const through = <A>(
  node: Node,
  operation: string,
  request: Effect.Effect<A, Tier.TierError>,
): Effect.Effect<A, Tier.TierError> =>
  Effect.suspend(() => {
    node.sent.push(operation)
    switch (node.link) {
      case "up":
        return Effect.tap(request, () => Effect.sync(() => node.onAnswer?.()))
      case "slow":
        return Effect.delay(Effect.tap(request, Effect.sleep(slowMillis)), slowMillis)
      case "refuses":
        return Effect.fail(new Tier.TierError({ tier: "shared", operation, cause: "refused" }))
      case "hangs":
        return Effect.never
      case "loses answers":
        return Effect.andThen(request, Effect.never)
    }
  })

type Listen = NonNullable<Tier.Arbiter["listen"]>

const listenOf: Readonly<Record<Notifies, (listen: Listen) => Listen | undefined>> = {
  "at once": (listen) => listen,
  slowly: (listen) => (receive) => Effect.delay(listen(receive), 15),
  never: () => undefined,
}

const nodeOf = (tier: Tier.ByteTier, notifies: Notifies = "at once"): Node => {
  const linked: Tier.ByteTier = {
    ...tier,
    open: (options) =>
      Effect.map(tier.open(options), (store) => {
        const arbiter = store.arbiter!
        return {
          ...store,
          arbiter: {
            ...arbiter,
            acquire: (key, request) => through(node, "acquire", arbiter.acquire(key, request)),
            renew: (key, token, millis) =>
              through(node, "renew", arbiter.renew(key, token, millis)),
            release: (key, token, failed) =>
              through(node, "release", arbiter.release(key, token, failed)),
            listen: listenOf[notifies](arbiter.listen!),
          },
        }
      }),
  }
  const node: Node = { link: "up", sent: [], tier: Layer.succeed(Tier.Tier, linked) }
  return node
}

interface World {
  readonly node: (notifies?: Notifies) => Node
  readonly arbiter: Tier.Arbiter
  readonly loseAll: Effect.Effect<void>
}

const world: Effect.Effect<World, never, Scope.Scope> = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  const server = yield* MemoryTier.sharedServer()
  const tier = yield* Effect.provide(Tier.Tier, yield* Layer.build(server.layer))
  if (tier.kind !== "bytes") return yield* Effect.die("no byte tier")
  const { arbiter } = yield* tier.open({ larder: Lease.namespace })
  return { node: (notifies) => nodeOf(tier, notifies), arbiter: arbiter!, loseAll: server.loseAll }
})

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.flatMap(world, body)))

const on =
  (node: Node) =>
  <A, E>(effect: Effect.Effect<A, E, Tier.Tier>): Effect.Effect<A, E> =>
    Effect.provide(effect, node.tier)

/** Ends as its own error: the failure, or "interrupted". */
const endOf = (exit: Exit.Exit<unknown, { readonly _tag: string }> | undefined): string => {
  if (exit === undefined) return "running"
  if (Exit.isSuccess(exit)) return `done ${String(exit.value)}`
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" ? error.value._tag : "interrupted"
}

/** Its time of day steps forward by hand, and then no timer runs. */
const steppingClock = Effect.clockWith((clock) =>
  Effect.sync(() => {
    const stepping = {
      ...clock,
      sleep: clock.sleep,
      ahead: 0,
      currentTimeMillisUnsafe: (): number => clock.currentTimeMillisUnsafe() + stepping.ahead,
    }
    return stepping
  }),
)

describe("a lease alone", () => {
  test("is refused at once while another holds it, and free once that one has ended", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node()]
      const lease = Lease.withLease("job", { lease: "3 seconds" })
      const held = yield* fork(on(a)(lease((token) => Effect.as(Effect.sleep("1 minute"), token))))
      const refused = yield* Effect.flip(on(b)(lease(() => Effect.void)))
      expect(refused).toBeInstanceOf(Lease.LeaseNotAcquired)
      expect(refused).toMatchObject({ key: "job", leftMillis: 3_000 })
      yield* TestClock.adjust("1 minute")
      const first = yield* Fiber.join(held)
      const second = yield* on(b)(lease((token) => Effect.succeed(token)))
      expect(second).toBeGreaterThan(first)
    }))

  test("is refused after `wait`, to the millisecond", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node()]
      yield* fork(on(a)(Lease.withLease("job", { lease: "3 seconds" })(() => Effect.never)))
      const waits = yield* fork(
        on(b)(
          Lease.withLease("job", { lease: "3 seconds", wait: "10 seconds" })(() => Effect.void),
        ),
      )
      yield* TestClock.adjust(9_999)
      expect(waits.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      expect(endOf(waits.pollUnsafe())).toBe("LeaseNotAcquired")
      // A wait costs a few requests, not one each 50 ms.
      expect(b.sent.length).toBeLessThan(30)
    }))

  test("passes on at once when its holder ends, where the tier tells of it", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node()]
      yield* fork(on(a)(Lease.withLease("job", { lease: "1 minute" })(() => Effect.sleep(7_777))))
      const next = yield* fork(
        on(b)(Lease.withLease("job", { lease: "1 minute", wait: "1 minute" })(() => Effect.void)),
      )
      yield* TestClock.adjust(7_776)
      expect(next.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      expect(endOf(next.pollUnsafe())).toBe("done undefined")
    }))

  test("passes on at once when its holder ends before the waiting node is subscribed", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node("slowly")]
      yield* fork(on(a)(Lease.withLease("job", { lease: "1 minute" })(() => Effect.sleep(5_010))))
      yield* TestClock.adjust(5_000)
      const next = yield* fork(
        on(b)(Lease.withLease("job", { lease: "1 minute", wait: "1 minute" })(() => Effect.void)),
      )
      // The first request after a pause of 25 ms or more.
      yield* TestClock.adjust(20)
      expect(endOf(next.pollUnsafe())).toBe("done undefined")
    }))

  test("an answer that comes after the lease's time grants nothing", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      const clock = yield* steppingClock
      const granted: Array<number> = []
      a.onAnswer = () => {
        clock.ahead += granted.length === 0 && a.sent.length === 1 ? 3_000 : 0
      }
      const work = Lease.withLease("job", { lease: "3 seconds", wait: "1 minute" })((token) =>
        Effect.sync(() => void granted.push(token)),
      )
      const done = yield* fork(on(a)(Effect.provideService(work, Clock.Clock, clock)))
      yield* TestClock.adjust("10 seconds")
      expect(endOf(done.pollUnsafe())).toBe("done undefined")
      expect(a.sent).toEqual(["acquire", "release", "acquire", "release"])
    }))

  test("passes on within a second, where the tier does not tell", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node("never")]
      yield* fork(on(a)(Lease.withLease("job", { lease: "1 minute" })(() => Effect.sleep(7_777))))
      const next = yield* fork(
        on(b)(Lease.withLease("job", { lease: "1 minute", wait: "1 minute" })(() => Effect.void)),
      )
      yield* TestClock.adjust(8_800)
      expect(endOf(next.pollUnsafe())).toBe("done undefined")
    }))

  test("lasts for as long as its holder works, whatever the time of the lease", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node()]
      const held = yield* fork(
        on(a)(Lease.withLease("job", { lease: "1 second" })(() => Effect.sleep("1 hour"))),
      )
      const other = on(b)(Lease.withLease("job", { lease: "1 second" })(() => Effect.void))
      for (let i = 0; i < 100; i++) {
        yield* TestClock.adjust("35 seconds")
        expect(endOf(yield* Effect.exit(other))).toBe("LeaseNotAcquired")
      }
      yield* TestClock.adjust("100 seconds")
      expect(endOf(held.pollUnsafe())).toBe("done undefined")
      yield* other
    }))

  test("a holder from whom it was taken is interrupted within a third of it, and returns nothing of the other's", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      let interruptedAt = 0
      const now = Effect.clockWith((clock) => clock.currentTimeMillis)
      const held = yield* fork(
        on(a)(
          Lease.withLease("job", { lease: "3 seconds" })(() =>
            Effect.onInterrupt(Effect.never, () =>
              Effect.map(now, (at) => {
                interruptedAt = at
              }),
            ),
          ),
        ),
      )
      yield* TestClock.adjust(10_001)
      const taken = yield* world.arbiter.acquire("job", {
        known: 0,
        leaseMillis: 60_000,
        force: true,
      })
      yield* TestClock.adjust(1_000)
      expect(endOf(held.pollUnsafe())).toBe("LeaseLost")
      expect(interruptedAt - start - 10_001).toBeLessThanOrEqual(1_000)
      const token = taken._tag === "Won" ? taken.token : 0
      expect(yield* world.arbiter.renew("job", token, 60_000)).toBe(true)
    }))

  test("its caller gets LeaseLost once the effect has ended, its finalizers included", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      const held = yield* fork(
        on(a)(
          Lease.withLease("job", { lease: "3 seconds" })(() =>
            Effect.ensuring(Effect.never, Effect.sleep("5 seconds")),
          ),
        ),
      )
      yield* world.loseAll
      yield* TestClock.adjust(1_000)
      expect(held.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(5_000)
      expect(endOf(held.pollUnsafe())).toBe("LeaseLost")
    }))

  for (const link of ["refuses", "hangs", "loses answers"] as const) {
    test(`a holder whose tier ${link} goes on until its lease's time is over, and not a moment longer`, (world) =>
      Effect.gen(function* () {
        const a = world.node()
        const held = yield* fork(
          on(a)(Lease.withLease("job", { lease: "3 seconds" })(() => Effect.never)),
        )
        // The last confirmed renewal was sent at 9.75 s.
        yield* TestClock.adjust(9_800)
        a.link = link
        yield* TestClock.adjust(9_750 + 2_999 - 9_800)
        expect(held.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust(1)
        // The lease is returned, for at most a third of its time.
        yield* TestClock.adjust(1_000)
        expect(endOf(held.pollUnsafe())).toBe("LeaseLost")
      }))

    test(`a holder whose tier ${link} for less than the lease keeps it`, (world) =>
      Effect.gen(function* () {
        const [a, b] = [world.node(), world.node()]
        const held = yield* fork(
          on(a)(Lease.withLease("job", { lease: "3 seconds" })(() => Effect.sleep("1 minute"))),
        )
        for (let i = 0; i < 10; i++) {
          yield* TestClock.adjust(2_000)
          a.link = link
          yield* TestClock.adjust(1_500)
          a.link = "up"
        }
        const other = on(b)(Lease.withLease("job", { lease: "3 seconds" })(() => Effect.void))
        expect(endOf(yield* Effect.exit(other))).toBe("LeaseNotAcquired")
        yield* TestClock.adjust("1 minute")
        expect(endOf(held.pollUnsafe())).toBe("done undefined")
      }))

    test(`a caller whose tier ${link} gets its error, at once or after \`wait\``, (world) =>
      Effect.gen(function* () {
        const a = world.node()
        a.link = link
        const now = yield* fork(
          on(a)(Lease.withLease("one", { lease: "3 seconds" })(() => Effect.void)),
        )
        const later = yield* fork(
          on(a)(
            Lease.withLease("two", { lease: "3 seconds", wait: "10 seconds" })(() => Effect.void),
          ),
        )
        yield* TestClock.adjust(1_000)
        expect(endOf(now.pollUnsafe())).toBe("TierError")
        yield* TestClock.adjust(8_999)
        expect(later.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust(1_001)
        expect(endOf(later.pollUnsafe())).toBe("TierError")
      }))
  }

  test("a caller that waits gets it once the tier answers again", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      a.link = "refuses"
      const waits = yield* fork(
        on(a)(Lease.withLease("job", { lease: "3 seconds", wait: "1 minute" })(() => Effect.void)),
      )
      yield* TestClock.adjust("30 seconds")
      a.link = "up"
      yield* TestClock.adjust("1 second")
      expect(endOf(waits.pollUnsafe())).toBe("done undefined")
    }))

  test("an effect that ends after the lease's time, in a process too busy for its timers, is LeaseLost", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      const clock = yield* steppingClock
      const work = Lease.withLease("job", { lease: "3 seconds" })(() =>
        Effect.sync(() => {
          clock.ahead = 3_000
        }),
      )
      const lost = yield* Effect.exit(on(a)(Effect.provideService(work, Clock.Clock, clock)))
      expect(endOf(lost)).toBe("LeaseLost")
    }))

  test("an interrupted caller returns it, in work and in wait", (world) =>
    Effect.gen(function* () {
      const [a, b] = [world.node(), world.node()]
      const lease = Lease.withLease("job", { lease: "1 hour", wait: "1 hour" })
      const held = yield* fork(on(a)(lease(() => Effect.never)))
      const waits = yield* fork(on(b)(lease(() => Effect.never)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waits)
      yield* Fiber.interrupt(held)
      yield* on(b)(Lease.withLease("job", { lease: "1 hour" })(() => Effect.void))
    }))

  test("a failure and a defect of the effect are the caller's, and return it", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      const lease = Lease.withLease("job", { lease: "1 hour" })
      expect(yield* Effect.flip(on(a)(lease(() => Effect.fail("no" as const))))).toBe("no")
      const died = yield* Effect.exit(
        on(a)(
          lease((): Effect.Effect<never> => {
            throw new Error("boom")
          }),
        ),
      )
      expect(Exit.isFailure(died) && Cause.pretty(died.cause)).toContain("boom")
      yield* on(a)(lease(() => Effect.void))
    }))

  test("leases of other keys, and larders, are apart from it", (world) =>
    Effect.gen(function* () {
      const a = world.node()
      const jobs = Effect.forEach(["one", "two", "#1"], (key) =>
        Lease.withLease(key, { lease: "1 hour" })(() => Effect.void),
      )
      yield* on(a)(Lease.withLease("three", { lease: "1 hour" })(() => jobs))
      const named = Larder.make({
        name: Lease.namespace,
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.provide(named, TierStack.layer(MemoryTier.layer()))),
      )
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("must be another name")
    }))

  const invalid: ReadonlyArray<readonly [string, string, object, string]> = [
    ["a key with a line break", "a\nb", { lease: "1 second" }, "Lease: key must be a key"],
    ["a lease of 99 ms", "a", { lease: 99 }, "Lease: lease must be a duration of 100"],
    ["no lease", "a", {}, "Lease: lease must be a duration of 100"],
    ["a wait of NaN", "a", { lease: 100, wait: Number.NaN }, "Lease: wait must be a duration"],
    ["a wait of null", "a", { lease: 100, wait: null }, "Lease: wait must be a duration"],
    ["a misspelt option", "a", { lease: 100, waits: 1 }, "did you mean `wait`?"],
  ]
  for (const [what, key, options, text] of invalid) {
    test(`dies with InvalidOptions for ${what}`, (world) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          on(world.node())(Lease.withLease(key, options as Lease.Options)(() => Effect.void)),
        )
        const cause = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(cause).toBeInstanceOf(InvalidOptions)
        expect((cause as Error).message).toContain(text)
      }))
  }

  for (const [what, effect, text] of [
    ["no effect", undefined, "Lease: effect must be a function that takes the token"],
    [
      "an Effect in place of a function",
      Effect.void,
      "Lease: effect must be a function that takes",
    ],
    ["a function that returns no Effect", () => 5, "Lease: effect must return an Effect, got 5"],
  ] as const) {
    test(`dies with InvalidOptions for ${what}, and leaves the lease free`, (world) =>
      Effect.gen(function* () {
        const withLease = Lease.withLease("a", { lease: "1 second" })
        const exit = yield* Effect.exit(on(world.node())(withLease(effect as never)))
        const cause = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(cause).toBeInstanceOf(InvalidOptions)
        expect((cause as Error).message).toContain(text)
        yield* on(world.node())(withLease(() => Effect.void))
      }))
  }

  test("dies with InvalidOptions over a tier that does not lease", () =>
    Effect.gen(function* () {
      const over = Lease.withLease("job", { lease: "1 second" })(() => Effect.void)
      const exit = yield* Effect.exit(Effect.provide(over, MemoryTier.layer()))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(
        "Lease: tier must be a tier that leases",
      )
    }))
})

/** One holder, from the begin of its effect to its end. */
interface Held {
  readonly token: number
  readonly began: number
  ended: number
  end: string
}

const lease = 1_200
const stepMillis = 20

interface Chances {
  readonly links: ReadonlyArray<Link>
  /** Whether the lease is taken by force, and lost with all records of the tier. */
  readonly takes: boolean
}

/** Four nodes contend for one lease, for 30 seconds. */
const history = (seed: number, { links, takes }: Chances) =>
  Effect.gen(function* () {
    const { arbiter, loseAll, node } = yield* world
    const draw = drawing(seed)
    const nodes = Array.from({ length: 4 }, (_, i) => node(i % 2 === 0 ? "at once" : "never"))
    const held: Array<Held> = []
    const takenAt: Array<number> = []
    const now = Effect.clockWith((clock) => clock.currentTimeMillis)
    const work = (millis: number, fails: boolean) => (token: number) =>
      Effect.suspend(() => {
        const one: Held = { token, began: 0, ended: Infinity, end: "running" }
        held.push(one)
        return Effect.flatMap(now, (at) => {
          Object.assign(one, { began: at })
          const end = fails ? Effect.fail("failed" as const) : Effect.void
          return Effect.onExit(Effect.andThen(Effect.sleep(millis), end), (exit) =>
            Effect.map(now, (at) => {
              one.ended = at
              one.end = Exit.isSuccess(exit)
                ? "done"
                : Cause.hasInterrupts(exit.cause)
                  ? "interrupted"
                  : "failed"
            }),
          )
        })
      })
    const caller = (node: Node): Effect.Effect<void> =>
      Effect.suspend(() => {
        const one = on(node)(
          Lease.withLease("job", { lease, wait: draw(3) * 700 })(work(draw(4_000), draw(5) === 0)),
        )
        const patience = draw(6) === 0 ? draw(3_000) : Infinity
        const left = Effect.timeoutOption(Effect.exit(one), patience)
        return Effect.andThen(left, Effect.sleep(draw(400)))
      }).pipe(Effect.forever)
    yield* Effect.forEach(nodes, (node) =>
      Effect.forkScoped(caller(node), { startImmediately: true }),
    )
    for (let at = 0; at < 30_000; at += stepMillis) {
      for (const one of nodes) if (draw(40) === 0) one.link = links[draw(links.length)]!
      if (takes && draw(200) === 0) {
        takenAt.push(yield* now)
        if (draw(2) === 0) yield* loseAll
        else yield* arbiter.acquire("job", { known: 0, leaseMillis: 1, force: true })
      }
      yield* TestClock.adjust(stepMillis)
    }
    // A request that hangs would hold up the end of its caller.
    for (const one of nodes) one.link = "up"
    yield* TestClock.adjust("3 seconds")
    return { held, takenAt }
  })

const runs = Number(process.env["LARDER_RUNS"] ?? 25)

describe("law 30, whatever happens", () => {
  it.effect(
    "without a loss at the tier, whatever becomes of requests and answers, no two hold it at once, and tokens rise",
    () =>
      Effect.gen(function* () {
        let holders = 0
        for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
          const links: ReadonlyArray<Link> = [
            "up",
            "up",
            "slow",
            "refuses",
            "hangs",
            "loses answers",
          ]
          const { held } = yield* Effect.scoped(history(seed, { links, takes: false }))
          holders += held.length
          for (const [i, one] of held.entries()) {
            const before = held[i - 1]
            if (before === undefined) continue
            expect({ seed, i, rises: one.token > before.token }).toEqual({ seed, i, rises: true })
            expect({ seed, i, apart: one.began >= before.ended }).toEqual({ seed, i, apart: true })
          }
        }
        expect(holders).toBeGreaterThan(5 * runs)
      }),
    60_000 + 2_000 * runs,
  )

  it.effect(
    "where the tier loses it or gives it to another, its holder is interrupted within a third of the lease",
    () =>
      Effect.gen(function* () {
        let interrupted = 0
        for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
          const { held, takenAt } = yield* Effect.scoped(
            history(seed, { links: ["up", "slow"], takes: true }),
          )
          for (const one of held) {
            const taken = takenAt.find((at) => at >= one.began && at < one.ended)
            if (taken === undefined) continue
            interrupted += one.end === "interrupted" ? 1 : 0
            const late = one.ended - taken
            expect({ seed, late: late > lease / 3 && late }).toEqual({ seed, late: false })
          }
          // A slow answer may come after the lease was lost, and given to another holder.
          const wasLost = ({ began }: Held) =>
            takenAt.some((at) => at <= began && at > began - lease)
          for (const [i, one] of held.entries()) {
            const rises = i === 0 || one.token > held[i - 1]!.token || wasLost(one)
            expect({ seed, rises }).toEqual({ seed, rises: true })
          }
          expect(new Set(held.map(({ token }) => token)).size).toBe(held.length)
        }
        expect(interrupted).toBeGreaterThan(runs)
      }),
    60_000 + 2_000 * runs,
  )
})
