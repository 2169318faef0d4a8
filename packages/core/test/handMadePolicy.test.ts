/** Policies copied by hand have passed no check: nonsense in them is refused wherever a policy comes in. */
import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit } from "effect"

const good = Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" })

const copies: Readonly<Record<string, readonly [field: string, policy: Policy.Policy]>> = {
  "freshFor NaN": ["freshFor", { ...good, freshFor: Number.NaN }],
  "freshFor -1": ["freshFor", { ...good, freshFor: -1 }],
  "freshFor as text": ["freshFor", { ...good, freshFor: "1 minute" as never }],
  "staleIfError left out": ["staleIfError", { ...good, staleIfError: undefined as never }],
  "hardTimeout 0": ["hardTimeout", { ...good, hardTimeout: 0 }],
  "jitter 2": ["jitter", { ...good, jitter: 2 }],
  "earlyRefresh 0.8": ["earlyRefresh", { ...good, earlyRefresh: 0.8 as never }],
  "earlyRefresh with a fraction of NaN": [
    "earlyRefresh",
    { ...good, earlyRefresh: { _tag: "After", fraction: Number.NaN } },
  ],
  "tierWrites never": ["tierWrites", { ...good, tierWrites: "never" as never }],
}

const stack = () => TierStack.layer(MemoryTier.layer())

const make = (policy: Policy.Policy | Policy.AdaptivePolicy<number, string>) =>
  Larder.make({
    name: "copied",
    policy,
    upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
  })

const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) =>
    Exit.isFailure(exit) ? Cause.squash(exit.cause) : "no failure",
  )

for (const [name, [field, policy]] of Object.entries(copies)) {
  describe(name, () => {
    const refused = { _tag: "InvalidPolicy", field }

    it.effect("is refused as the policy of a larder", () =>
      Effect.gen(function* () {
        expect(yield* defectOf(make(policy))).toMatchObject(refused)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("is refused as the base of an adaptive policy", () =>
      Effect.gen(function* () {
        const adaptive = Policy.adaptive(policy, (_value: number, _key: string) => good)
        expect(yield* defectOf(make(adaptive))).toMatchObject(refused)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("is refused from an adaptive policy: the value is given, and not kept", () =>
      Effect.gen(function* () {
        const larder = yield* make(Policy.adaptive(good, (_value: number, _key: string) => policy))
        expect(yield* larder.get("k")).toBe(1)
        expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
        expect(yield* defectOf(larder.set("k", 2))).toMatchObject({
          _tag: "OptionFailed",
          option: "policy",
          reason: expect.stringContaining(field),
        })
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("is refused as the policy of a set", () =>
      Effect.gen(function* () {
        const larder = yield* make(good)
        expect(yield* defectOf(larder.set("k", 2, { policy }))).toMatchObject(refused)
        expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )
  })
}

it.effect("a copy that can be meant is taken as it is at that moment", () =>
  Effect.gen(function* () {
    const copy = { ...good, freshFor: 5_000, earlyRefresh: EarlyRefresh.after(0.5) }
    const larder = yield* make(copy)
    Object.assign(copy, { freshFor: Number.NaN })
    yield* larder.get("k")
    const { entry } = yield* larder.read("k")
    expect(entry).toMatchObject({ freshUntil: (entry?.storedAt ?? 0) + 5_000 })
  }).pipe(Effect.scoped, Effect.provide(stack())),
)

for (const policy of [undefined, null, {}, 5, { freshFor: "1 minute" }, { base: good }]) {
  it.effect(`what is no policy is refused: ${JSON.stringify(policy)}`, () =>
    Effect.gen(function* () {
      expect(yield* defectOf(make(policy as never))).toMatchObject({
        _tag: "InvalidOptions",
        module: "Larder",
        field: "policy",
      })
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
}

it.effect.each([
  [5, "must be a result of Policy.make (the policy given to set), got 5"],
  ["1 minute", 'got "1 minute"'],
  [{ freshFor: 5 }, "got an object"],
] as const)("what is no policy is refused with what it is: %j", ([policy, reason]) =>
  Effect.gen(function* () {
    const larder = yield* make(good)
    expect(yield* defectOf(larder.set("k", 1, { policy: policy as never }))).toMatchObject({
      _tag: "InvalidPolicy",
      field: "policy",
      reason: expect.stringContaining(reason),
    })
  }).pipe(Effect.scoped, Effect.provide(stack())),
)

it.effect("what is no policy is refused in a set, and as the base of an adaptive policy", () =>
  Effect.gen(function* () {
    const larder = yield* make(good)
    const refused = { _tag: "InvalidPolicy", field: "policy" }
    const policy = { freshFor: 5 } as never
    expect(yield* defectOf(larder.set("k", 1, { policy }))).toMatchObject(refused)
    expect(yield* defectOf(make(Policy.adaptive(policy, () => good)))).toMatchObject(refused)
  }).pipe(Effect.scoped, Effect.provide(stack())),
)
