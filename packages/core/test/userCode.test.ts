/** Option functions that throw or return invalid results: for a stored value, for one just looked up, for one that is set. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Layer, Logger, PubSub, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"

const boom = (): never => {
  throw new Error("boom")
}

const policy = Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" })
const base = { name: "hostile", value: Schema.Finite, policy }

type Options = Partial<Larder.SchemaOptions<typeof Schema.Finite, string, string, never>>

/** The values on which the broken function fails. */
type Chokes = (value: number) => boolean

const withMemory = (weigh?: (value: unknown) => number) =>
  MemoryTier.layer(weigh === undefined ? {} : { weigh })

/** Each breaks one function for the values that choke it. */
const broken: Record<string, (chokes: Chokes) => { options?: Options; weigh?: Chokes }> = {
  "an adaptive policy that throws": (chokes) => ({
    options: {
      policy: Policy.adaptive(policy, (value, _key, own) => (chokes(value) ? boom() : own)),
    },
  }),
  "an adaptive policy that gives NaN": (chokes) => ({
    options: {
      policy: Policy.adaptive(policy, (value, _key, own) =>
        chokes(value) ? { ...own, freshFor: Number.NaN } : own,
      ),
    },
  }),
  "an adaptive policy that gives nothing": (chokes) => ({
    options: {
      policy: Policy.adaptive(policy, (value, _key, own) =>
        chokes(value) ? (undefined as unknown as Policy.Policy) : own,
      ),
    },
  }),
  "revision that throws": (chokes) => ({
    options: { revision: (value) => (chokes(value) ? boom() : value) },
  }),
  "revision that gives NaN": (chokes) => ({
    options: { revision: (value) => (chokes(value) ? Number.NaN : value) },
  }),
  "weigh that throws": (chokes) => ({ weigh: (value) => (chokes(value) ? boom() : false) }),
  "weigh that gives NaN": (chokes) => ({ weigh: chokes }),
}

const onlyForNew: Record<string, (chokes: Chokes) => { options?: Options; weigh?: Chokes }> = {
  "tags that throws": (chokes) => ({
    options: { tags: (value) => (chokes(value) ? boom() : []) },
  }),
  "tags that gives a number": (chokes) => ({
    options: { tags: (value) => (chokes(value) ? (1 as unknown as Array<string>) : []) },
  }),
  "etag that throws": (chokes) => ({
    options: { etag: (value) => (chokes(value) ? boom() : undefined) },
  }),
  "etag that gives a number": (chokes) => ({
    options: { etag: (value) => (chokes(value) ? (1 as unknown as string) : undefined) },
  }),
}

const file = fileLayer(new Faults())

const behind = {
  "memory and shared": [Layer.fresh(MemoryTier.layerShared)],
  "memory and file": [file],
  "memory, file and shared": [file, Layer.fresh(MemoryTier.layerShared)],
} as const

const bytesAlone = { shared: Layer.fresh(MemoryTier.layerShared), file } as const

/** The tiers behind memory are built once, so that a later release of the application finds what an earlier one left. */
const twoReleases = (
  tiers: ReadonlyArray<Layer.Layer<Tier.Tier>>,
  weigh: Chokes | undefined,
  hasMemory: boolean,
) =>
  Effect.gen(function* () {
    const built = yield* Effect.forEach(tiers, (tier) =>
      Effect.map(Layer.build(tier), Layer.succeedContext),
    )
    const stackOf = (weighs: boolean) => {
      const memory = withMemory(
        weighs && weigh !== undefined
          ? (value) => (weigh(value as number) ? Number.NaN : 1)
          : undefined,
      )
      const [first, ...rest] = hasMemory ? [memory, ...built] : built
      return TierStack.layer(first!, ...rest)
    }
    return { before: yield* Layer.build(stackOf(false)), after: yield* Layer.build(stackOf(true)) }
  })

const upstreamOf = (lookup: (n: number) => Effect.Effect<number, string>) => {
  let asked = 0
  return {
    asked: () => asked,
    upstream: Upstream.make({
      lookup: (_: string) => Effect.suspend(() => lookup((asked += 1))),
      lookupMany: (keys) =>
        Effect.suspend(() =>
          Effect.map(lookup((asked += 1)), (value) => new Map(keys.map((key) => [key, value]))),
        ),
    }),
  }
}

const valueOf = (exit: Exit.Exit<unknown, unknown> | undefined) =>
  exit !== undefined && Exit.isSuccess(exit) ? exit.value : exit

const defectOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

const operations: Record<
  string,
  (larder: Larder.Larder<string, number, string>) => Effect.Effect<unknown, unknown>
> = {
  get: (larder) => larder.get("k"),
  getMany: (larder) => Effect.map(larder.getMany(["k"]), (exits) => valueOf(exits.get("k"))),
  getWithMeta: (larder) => Effect.map(larder.getWithMeta("k"), ({ value }) => value),
  refresh: (larder) => larder.refresh("k"),
}

describe("law 16: an option that fails on a stored value makes it undecodable: a miss, told, repaired by the next load", () => {
  const stacks = [
    ...Object.entries(behind).map(([name, tiers]) => [name, tiers, true] as const),
    ...Object.entries(bytesAlone).map(([name, tier]) => [name, [tier], false] as const),
  ]
  const cases = stacks.flatMap(([stack, tiers, hasMemory]) =>
    Object.entries(broken)
      .filter(([what]) => hasMemory || !what.startsWith("weigh"))
      .flatMap(([what, breaks]) =>
        Object.keys(operations).map((operation) => ({
          stack,
          tiers,
          hasMemory,
          what,
          breaks,
          operation,
        })),
      ),
  )
  it.effect.each(cases)("$stack: $what, $operation", ({ breaks, hasMemory, operation, tiers }) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const isOld: Chokes = (value) => value === 100
      const { options, weigh } = breaks(isOld)
      const { after, before } = yield* twoReleases(tiers, weigh && isOld, hasMemory)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* Larder.make({
            ...base,
            upstream: upstreamOf(() => Effect.succeed(100)).upstream,
          })
          yield* first.set("k", 100)
        }),
      ).pipe(Effect.provide(before))
      yield* TestClock.adjust("1 second")
      const { asked, upstream } = upstreamOf((n) => Effect.succeed(100 + n))
      const larder = yield* Larder.make({ ...base, ...options, upstream }).pipe(
        Effect.provide(after),
      )
      const events = yield* larder.subscribe
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect(yield* operations[operation]!(larder)).toBe(101)
      yield* TestClock.adjust("1 second")
      expect(yield* larder.get("k")).toBe(101)
      expect(asked()).toBe(1)
      expect((yield* larder.read("k")).entry?.value).toBe(101)
      if (operation === "refresh") return
      expect((yield* larder.stats).undecodable).toBeGreaterThan(0)
      const told = yield* PubSub.takeUpTo(events, 100)
      expect(told.find(({ _tag }) => _tag === "Undecodable")).toMatchObject({ key: "k" })
      expect(lines[0]).toMatch(/^hostile: the option \w+ failed on a value stored in /)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})

describe("an option that fails on a value just looked up: its callers get the value, the next call tries again", () => {
  const cases = Object.entries({ memory: [], ...behind }).flatMap(([stack, tiers]) =>
    Object.entries({ ...broken, ...onlyForNew }).flatMap(([what, breaks]) =>
      Object.keys(operations).map((operation) => ({ stack, tiers, what, breaks, operation })),
    ),
  )
  it.effect.each(cases)("$stack: $what, $operation", ({ breaks, operation, tiers }) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const isFirst: Chokes = (value) => value === 1
      const { options, weigh } = breaks(isFirst)
      const { after } = yield* twoReleases(tiers, weigh && isFirst, true)
      const { asked, upstream } = upstreamOf((n) => Effect.succeed(n))
      const larder = yield* Larder.make({ ...base, ...options, upstream }).pipe(
        Effect.provide(after),
      )
      expect(yield* operations[operation]!(larder)).toBe(1)
      yield* TestClock.adjust("1 second")
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect(yield* operations[operation]!(larder)).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(yield* larder.get("k")).toBe(2)
      expect(asked()).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
  )
})

describe("an option that fails on a value that is set: a defect that names the option, and nothing changes", () => {
  const cases = Object.entries({ memory: [], ...behind }).flatMap(([stack, tiers]) =>
    Object.entries({ ...broken, ...onlyForNew }).flatMap(([what, breaks]) =>
      (["awaited", "background"] as const).map((tierWrites) => ({
        stack,
        tiers,
        what,
        breaks,
        tierWrites,
      })),
    ),
  )
  it.effect.each(cases)(
    "$stack: $what, writes $tierWrites",
    ({ breaks, tiers, tierWrites, what }) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const isBad: Chokes = (value) => value === 7
        const { options, weigh } = breaks(isBad)
        const { after } = yield* twoReleases(tiers, weigh && isBad, true)
        const { asked, upstream } = upstreamOf(() => Effect.succeed(1))
        const own = Policy.make({ freshFor: "1 minute", tierWrites })
        const larder = yield* Larder.make({
          ...base,
          policy: own,
          ...options,
          upstream,
        }).pipe(Effect.provide(after))
        yield* larder.set("k", 1)
        const defect = defectOf(yield* Effect.exit(larder.set("k", 7)))
        expect(defect).toMatchObject({ _tag: "OptionFailed", larder: "hostile" })
        expect(what).toContain((defect as Larder.OptionFailed).option)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("k")).toBe(1)
        expect(asked()).toBe(0)
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
  )
})

it.effect("a renewed value on which the policy fails is not shown to the next lookup again", () =>
  Effect.gen(function* () {
    let isBroken = false
    const seen: Array<unknown> = []
    const larder = yield* Larder.make({
      ...base,
      upstream: Upstream.make({
        lookup: (_: string, previous) => {
          seen.push(previous?.value)
          return Effect.succeed(previous === undefined ? seen.length : Upstream.notModified)
        },
      }),
      policy: Policy.adaptive(policy, (_value, _key, own) => (isBroken ? boom() : own)),
    })
    expect(yield* larder.get("k")).toBe(1)
    yield* TestClock.adjust("1 minute")
    isBroken = true
    expect(yield* larder.get("k")).toBe(1)
    isBroken = false
    expect(yield* larder.get("k")).toBe(3)
    expect(seen).toEqual([undefined, 1, undefined])
  }).pipe(Effect.scoped, Effect.provide([TierStack.layer(MemoryTier.layer()), Logger.layer([])])),
)

it.effect(
  "failureFor that throws or is no duration: callers get upstream's failure, which is not remembered",
  () =>
    Effect.gen(function* () {
      const { upstream } = upstreamOf((n) => (n < 3 ? Effect.fail(`e${n}`) : Effect.succeed(n)))
      const larder = yield* Larder.make({
        ...base,
        upstream,
        failureFor: (error) => (error === "e1" ? boom() : Number.NaN),
      })
      expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("e1"))
      expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("e2"))
      expect(yield* larder.get("k")).toBe(3)
    }).pipe(Effect.scoped, Effect.provide([TierStack.layer(MemoryTier.layer()), Logger.layer([])])),
)

it.effect(
  "an option that fails is logged: at most five lines at once, one a second, then how many were left out",
  () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const suppressed: Array<unknown> = []
      const logger = Logger.make<unknown, void>(({ fiber, message }) => {
        lines.push(String(message))
        const { suppressed: left } = fiber.getRef(References.CurrentLogAnnotations)
        if (left !== undefined) suppressed.push(left)
      })
      yield* Effect.gen(function* () {
        const larder = yield* Larder.make({
          ...base,
          upstream: upstreamOf((n) => Effect.succeed(1_000 + n)).upstream,
          tags: () => boom(),
        })
        for (let i = 0; i < 20; i++) yield* larder.get("the key")
        expect(lines.length).toBe(5)
        yield* TestClock.adjust("1 second")
        yield* larder.get("the key")
        expect(lines.length).toBe(6)
        expect(suppressed).toEqual([15])
        for (const line of lines) {
          expect(line).toContain("hostile")
          expect(line).toContain("tags")
          expect(line).not.toMatch(/boom|the key|100\d/)
        }
      }).pipe(
        Effect.scoped,
        Effect.provide([TierStack.layer(MemoryTier.layer()), Logger.layer([logger])]),
      )
    }),
)

describe("a key function that throws, or gives no string, makes that key alone an InvalidKey", () => {
  const stacks = {
    memory: () => TierStack.layer(MemoryTier.layer()),
    "memory and shared": () =>
      TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
    shared: () => TierStack.layer(Layer.fresh(MemoryTier.layerShared)),
  }
  const badKeys = { throws: -1, "gives nothing": -2, "gives a number": -3 }
  const keyOf = (key: number): string => {
    if (key === -1) return boom()
    return (key === -2 ? undefined : key === -3 ? 3 : `k${key}`) as string
  }
  const cases = Object.entries(stacks).flatMap(([name, stack]) =>
    Object.entries(badKeys).map(([how, bad]) => ({ name, stack, how, bad })),
  )
  it.effect.each(cases)("$name: $how", ({ bad, how, stack }) =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        ...base,
        key: keyOf,
        upstream: Upstream.make({
          lookup: (key: number) => Effect.succeed(key),
          // An answer with keys that upstream made up.
          lookupMany: (keys) => Effect.succeed(new Map([...keys, -1, -2].map((key) => [key, key]))),
        }),
      })
      const invalid = { _tag: "InvalidKey", larder: "hostile", key: String(bad) }
      const exits = yield* larder.getMany([1, bad, 2])
      expect(exits.get(1)).toEqual(Exit.succeed(1))
      expect(exits.get(2)).toEqual(Exit.succeed(2))
      expect(defectOf(exits.get(bad)!)).toMatchObject(invalid)
      const each: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        larder.get(bad),
        larder.getWithMeta(bad),
        larder.read(bad),
        larder.refresh(bad),
        larder.set(bad, 1),
        larder.expire(bad),
        larder.remove(bad),
      ]
      for (const one of each) {
        const error = yield* Effect.flip(one)
        expect(error).toMatchObject(invalid)
        expect(String(error)).toContain(how === "throws" ? "boom" : "return a string")
      }
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})
