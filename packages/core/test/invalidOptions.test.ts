/**
 * Invalid options, for every constructor of the package: the error names module, field, value and
 * remedy. A constructor of a value throws it, its twin returns the same; an Effect or a Layer dies.
 */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  BoundedMap,
  Deadline,
  EarlyRefresh,
  InvalidOptions,
  Larder,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
  Wire,
} from "@larder/core"
import {
  Cause,
  Duration,
  Effect,
  Exit,
  Layer,
  Redacted,
  Result,
  Schedule,
  Schema,
  type Scope,
} from "effect"
import { ofLimits } from "./support/limits.ts"

interface Case {
  readonly module: string
  readonly field: string
  /** The value as the reason shows it. */
  readonly shown: string
  /** What is valid. */
  readonly must: string
}

interface OfValue extends Case {
  readonly throwing: () => unknown
  readonly twin: () => Result.Result<unknown, unknown>
}

interface OfEffect extends Case {
  /** Making it throws nothing. */
  readonly make: () => Effect.Effect<unknown>
}

const thrownBy = (make: () => unknown): unknown => {
  try {
    make()
  } catch (error) {
    return error
  }
  return assert.fail("nothing was thrown")
}

const isExpected = (error: unknown, { field, module, must, shown }: Case): void => {
  assert(error instanceof InvalidOptions || error instanceof Policy.InvalidPolicy)
  const isPolicy = error instanceof Policy.InvalidPolicy
  assert.deepStrictEqual(
    [error._tag, isPolicy ? "Policy" : error.module, error.field],
    [isPolicy ? "InvalidPolicy" : "InvalidOptions", module, field],
  )
  assert.include(error.reason, `must ${must}`)
  assert.isTrue(error.reason.endsWith(`, got ${shown}`), `${error.reason} shows ${shown}`)
  assert.strictEqual(error.message, `${module}: ${field} ${error.reason}`)
}

const titleOf = ({ field, module, shown }: Case): string => `${module}: ${field}, got ${shown}`

const typesOf = <A>(values: Readonly<Record<string, A>>): ReadonlyArray<readonly [string, A]> =>
  Object.entries(values)

// ---- values -----------------------------------------------------------------------------------

const duration = 'be a duration of at least 0, such as "10 seconds" or a number of milliseconds'

const noDurations: ReadonlyArray<readonly [string, Duration.Input]> = [
  ...typesOf<Duration.Input>({
    "-1": -1,
    NaN: Number.NaN,
    '"-1 second"': "-1 second",
    '"-Infinity"': "-Infinity",
    '"soon"': "soon" as never,
    '"5 parsecs"': "5 parsecs" as never,
    "-Infinity": Duration.negativeInfinity,
    "-5 millis": Duration.millis(-5),
    null: null as never,
    "an array of 0": [] as never,
    "an object": { seconds: Number.NaN },
    "an array of 2": [Number.NaN, 0],
  }),
  ["an object", {}],
  ["an object", { minute: 1 } as never],
  ["an object", { seconds: 5, parsecs: 1 } as never],
  ["an object", { seconds: "soon" } as never],
  ["an object", { seconds: null } as never],
  ["an object", new Date(0) as never],
]

const policyDurations = [
  "freshFor",
  "staleWhileRevalidate",
  "staleIfError",
  "softTimeout",
  "hardTimeout",
  "retryAfterFailure",
  "tierTimeout",
  "tierBudget",
] as const

const ofPolicy = (
  field: keyof Policy.Options,
  got: unknown,
  shown: string,
  must: string,
  others: Partial<Policy.Options> = {},
): OfValue => {
  const options = { freshFor: 1, ...others, [field]: got }
  return {
    module: "Policy",
    field,
    shown,
    must,
    throwing: () => Policy.make(options),
    twin: () => Policy.makeResult(options),
  }
}

const early = (
  field: string,
  shown: string,
  must: string,
  throwing: () => unknown,
  twin: () => Result.Result<unknown, unknown>,
): OfValue => ({ module: "Policy", field, shown, must, throwing, twin })

const spaced = Schedule.spaced("1 second")
const scheduled = EarlyRefresh.scheduled(EarlyRefresh.xfetch(), spaced)

const policies: ReadonlyArray<OfValue> = [
  ...policyDurations.flatMap((field) =>
    noDurations
      // Left out, it has its default.
      .filter(([, got]) => got !== null || field === "freshFor")
      .map(([shown, got]) => ofPolicy(field, got, shown, duration)),
  ),
  ofPolicy("jitter", 1.1, "1.1", "be a share of freshFor from 0 to 1, such as 0.1"),
  ofPolicy("jitter", Number.NaN, "NaN", "be a share of freshFor from 0 to 1, such as 0.1"),
  ...(
    [
      [Symbol("tenth"), "Symbol(tenth)"],
      [Object.create(null), "an object"],
      [[], "an array of 0"],
      [true, "true"],
      ["0.1", '"0.1"'],
    ] as const
  ).map(([got, shown]) =>
    ofPolicy("jitter", got, shown, "be a share of freshFor from 0 to 1, such as 0.1"),
  ),
  ofPolicy("hardTimeout", 0, "0", "be a finite duration above 0"),
  ofPolicy("hardTimeout", "Infinity", '"Infinity"', "be a finite duration above 0"),
  ofPolicy(
    "softTimeout",
    "31 seconds",
    '"31 seconds"',
    "be at most hardTimeout, which is 30000 ms",
  ),
  ofPolicy("tierWrites", "never", '"never"', 'be "awaited" or "background"'),
  ofPolicy("tierTimeout", 0, "0", "be a finite duration above 0"),
  ofPolicy("tierBudget", 50, "50", "be a finite duration of at least tierTimeout, which is 100 ms"),
  ofPolicy("earlyRefresh", 0.8, "0.8", "be made with EarlyRefresh.after, xfetch or scheduled"),
  ofPolicy("earlyRefresh", null, "null", "be made with EarlyRefresh.after, xfetch or scheduled"),
  ofPolicy(
    "earlyRefresh",
    { _tag: "after" },
    'an object with _tag "after"',
    "be made with EarlyRefresh.after, xfetch or scheduled",
  ),
  ...[0, 1, Number.NaN].map((fraction) =>
    early(
      "earlyRefresh",
      String(fraction),
      "begin after a share of freshFor above 0 and below 1, such as EarlyRefresh.after(0.8)",
      () => EarlyRefresh.after(fraction),
      () => EarlyRefresh.afterResult(fraction),
    ),
  ),
  ...[0, Infinity, "2" as never].map((beta) =>
    early(
      "earlyRefresh.beta",
      typeof beta === "number" ? String(beta) : JSON.stringify(beta),
      "be a finite number above 0, such as 1",
      () => EarlyRefresh.xfetch({ beta }),
      () => EarlyRefresh.xfetchResult({ beta }),
    ),
  ),
  ...[1.5, -1].map((maxFraction) =>
    early(
      "earlyRefresh.maxFraction",
      String(maxFraction),
      "be a share of freshFor above 0 and at most 1, such as 0.5",
      () => EarlyRefresh.xfetch({ maxFraction }),
      () => EarlyRefresh.xfetchResult({ maxFraction }),
    ),
  ),
  early(
    "earlyRefresh.schedule",
    "5",
    'be a Schedule, such as Schedule.spaced("1 second")',
    () => EarlyRefresh.scheduled(EarlyRefresh.xfetch(), 5 as never),
    () => EarlyRefresh.scheduledResult(EarlyRefresh.xfetch(), 5 as never),
  ),
  early(
    "earlyRefresh",
    'an object with _tag "Scheduled"',
    "have one schedule, around EarlyRefresh.after or xfetch",
    () => EarlyRefresh.scheduled(spaced)(scheduled as never),
    () => EarlyRefresh.scheduledResult(spaced)(scheduled as never),
  ),
]

const source = Upstream.make({ lookup: (key: string) => Effect.succeed(key) })

const ofUpstream = (
  field: string,
  shown: string,
  must: string,
  throwing: () => unknown,
  ...twins: ReadonlyArray<() => Result.Result<unknown, unknown>>
): ReadonlyArray<OfValue> =>
  twins.map((twin) => ({ module: "Upstream", field, shown, must, throwing, twin }))

const ofLookups = (lookups: object, field: string, shown: string, must: string) =>
  ofUpstream(
    field,
    shown,
    must,
    () => Upstream.make(lookups as never),
    () => Upstream.makeResult(lookups as never),
  )

const ofConcurrency = (bounds: unknown, field: string, shown: string, must: string) =>
  ofUpstream(
    `withConcurrency ${field}`,
    shown,
    must,
    () => Upstream.withConcurrency(bounds as number),
    () => source.pipe(Upstream.withConcurrencyResult(bounds as number)),
    () => Upstream.withConcurrencyResult(source, bounds as number),
  )

const ofBreaker = (options: Upstream.BreakerOptions, field: string, shown: string, must: string) =>
  ofUpstream(
    `withCircuitBreaker ${field}`,
    shown,
    must,
    () => Upstream.withCircuitBreaker(options),
    () => source.pipe(Upstream.withCircuitBreakerResult(options)),
    () => Upstream.withCircuitBreakerResult(source, options),
  )

const permits = "be an integer of at least 1 or Infinity"
const time = 'be a duration above 0, such as "10 seconds"'
const lookup = () => Effect.succeed(1)

const upstreams: ReadonlyArray<OfValue> = [
  ofLookups({}, "lookup", "undefined", "be a function from a key to an Effect"),
  ofLookups({ lookup: 5 }, "lookup", "5", "be a function from a key to an Effect"),
  ofLookups(
    { lookup, lookupMany: "all" },
    "lookupMany",
    '"all"',
    "be a function from keys to an Effect of a Map, or be left out",
  ),
  ofUpstream(
    "withRetry",
    "3",
    "be given a Schedule, such as Schedule.recurs(2)",
    () => Upstream.withRetry(3 as never),
    () => source.pipe(Upstream.withRetryResult(3 as never)),
    () => Upstream.withRetryResult(source, 3 as never),
  ),
  ...[0, -1, 1.5, Number.NaN, -Infinity, 2 ** 53].flatMap((bad) => [
    ofConcurrency(bad, "foreground", String(bad), permits),
    ofConcurrency({ foreground: bad }, "foreground", String(bad), permits),
    ofConcurrency({ foreground: 1, background: bad }, "background", String(bad), permits),
  ]),
  ofConcurrency(undefined, "foreground", "undefined", permits),
  ofConcurrency(null, "foreground", "null", permits),
  ofConcurrency({ foreground: "8" }, "foreground", '"8"', permits),
  ofConcurrency({ foreground: 1, background: null }, "background", "null", permits),
  ...[-1, 0.5, Number.NaN, Infinity].map((queue) =>
    ofConcurrency(
      { foreground: 1, queue },
      "queue",
      String(queue),
      "be an integer of at least 0, or be left out for no bound",
    ),
  ),
  ...[0, -1, Number.NaN].flatMap((bad) => [
    ofBreaker({ openDuration: bad }, "openDuration", String(bad), `${time}, or a Schedule`),
    ofBreaker({ maxOpenDuration: bad }, "maxOpenDuration", String(bad), time),
    ofBreaker({ probeEvery: bad }, "probeEvery", String(bad), time),
  ]),
  ofBreaker(
    { maxOpenDuration: spaced as never },
    "maxOpenDuration",
    "an object",
    'be a duration above 0, such as "10 seconds"',
  ),
  ...[-1, 1.5, Number.NaN, Infinity].map((probeQueue) =>
    ofBreaker({ probeQueue }, "probeQueue", String(probeQueue), "be an integer of at least 0"),
  ),
].flat()

const ofWire = (
  name: "compressed" | "encrypted",
  options: unknown,
  field: string,
  shown: string,
  must: string,
): ReadonlyArray<OfValue> => {
  const given = options as never
  const throwing =
    name === "compressed"
      ? () => Wire.compressed(Wire.json, given)
      : () => Wire.encrypted(Wire.json, given)
  const twins =
    name === "compressed"
      ? [
          () => Wire.compressedResult(Wire.json, given),
          () => Wire.compressedResult(given)(Wire.json),
        ]
      : [() => Wire.encryptedResult(Wire.json, given), () => Wire.encryptedResult(given)(Wire.json)]
  return twins.map((twin) => ({ module: "Wire", field, shown, must, throwing, twin }))
}

const bytes = new Uint8Array(32).fill(7)
const inBase64 = btoa(String.fromCharCode(...bytes))
const keys = { a: bytes, b: bytes }
const wiped = Redacted.make(bytes)
Redacted.wipeUnsafe(wiped)

const cryptoKeyOf = (name: string, length: number, usages: ReadonlyArray<KeyUsage>) =>
  globalThis.crypto.subtle.generateKey({ name, length }, false, usages)

const badKeys: ReadonlyArray<readonly [shown: string, key: unknown]> = [
  ["16 bytes", new Uint8Array(16)],
  ["33 bytes", Redacted.make(new Uint8Array(33))],
  ["5 bytes", Redacted.make("c2hvcnQ=")],
  ["a string that is not Base64", Redacted.make("not Base64!")],
  ["a string that is not Redacted", inBase64],
  ["a Redacted that was wiped", wiped],
  ["a value of type undefined", undefined],
  ["a value of type number", 7_7_7],
  ...[null, {}, { usages: [] }, { algorithm: {} }, Redacted.make(5)].map(
    (key) => ["a value of type object", key] as const,
  ),
  ["a CryptoKey of AES-GCM 128", await cryptoKeyOf("AES-GCM", 128, ["encrypt", "decrypt"])],
  ["a CryptoKey of AES-CBC 256", await cryptoKeyOf("AES-CBC", 256, ["encrypt", "decrypt"])],
  ["a CryptoKey that may not encrypt", await cryptoKeyOf("AES-GCM", 256, ["decrypt"])],
]

const idsOfKeys = "have ids that are well-formed strings of 1 to 255 bytes in UTF-8"

const wires: ReadonlyArray<OfValue> = [
  ...[-1, 1.5, Number.NaN].map((threshold) =>
    ofWire(
      "compressed",
      { threshold },
      "threshold",
      String(threshold),
      "be a number of bytes, an integer of at least 0",
    ),
  ),
  ...[0, Infinity].map((maxBytes) =>
    ofWire(
      "compressed",
      { maxBytes },
      "maxBytes",
      String(maxBytes),
      "be a number of bytes, an integer of at least 1",
    ),
  ),
  ofWire(
    "compressed",
    { format: "zip" },
    "format",
    '"zip"',
    'be one of "gzip", "deflate", "deflate-raw"',
  ),
  ...badKeys.map(([shown, key]) =>
    ofWire(
      "encrypted",
      { keys: { a: key }, current: "a" },
      'keys["a"]',
      shown,
      "be 32 bytes, a Redacted of them or of their Base64 string, or a CryptoKey of AES-GCM 256",
    ),
  ),
  // The key itself, which is not shown.
  ofWire(
    "encrypted",
    { keys: "bXktc2VjcmV0LWtleQ==", current: "a" },
    "keys",
    "<redacted>",
    "be an object with each key under its id",
  ),
  ofWire("encrypted", { keys: { "": bytes }, current: "" }, "keys", '""', idsOfKeys),
  ofWire("encrypted", { keys: { "\ud800": bytes }, current: "x" }, "keys", '"\\ud800"', idsOfKeys),
  ofWire(
    "encrypted",
    { keys: { ["x".repeat(256)]: bytes }, current: "x" },
    "keys",
    `"${"x".repeat(60)}…"`,
    idsOfKeys,
  ),
  ofWire("encrypted", { keys, current: "c" }, "current", '"c"', 'be an id of `keys` ("a", "b")'),
  ofWire("encrypted", { keys, current: "toString" }, "current", '"toString"', "be an id of `keys`"),
  ofWire(
    "encrypted",
    { keys: {}, current: "a" },
    "current",
    '"a"',
    "be an id of `keys` (which is empty)",
  ),
  ...[undefined, null].map((none) =>
    ofWire(
      "encrypted",
      { keys: none, current: "a" },
      "keys",
      String(none),
      "be an object with each key under its id",
    ),
  ),
].flat()

const ofMap = (options: object, field: string, shown: string, must: string): OfValue => ({
  module: "BoundedMap",
  field,
  shown,
  must,
  throwing: () => BoundedMap.make(options),
  twin: () => BoundedMap.makeResult(options),
})

const bounds = ["maxEntries", "maxWeight"] as const
const noBounds = [-1, 1.5, Number.NaN, -Infinity, 2 ** 53]
const eviction = 'be "w-tinylfu" or "lru"'

const maps: ReadonlyArray<OfValue> = [
  ...bounds.flatMap((field) =>
    noBounds.map((bad) =>
      ofMap({ [field]: bad }, field, String(bad), "be an integer of at least 0 or Infinity"),
    ),
  ),
  ofMap({ maxEntries: "10" }, "maxEntries", '"10"', "be an integer of at least 0 or Infinity"),
  ofMap({ eviction: "fifo" }, "eviction", '"fifo"', eviction),
]

describe.each(
  typesOf({ "Policy, EarlyRefresh": policies, Upstream: upstreams, Wire: wires, BoundedMap: maps }),
)("a constructor of a value throws, and its twin returns the same: %s", (_, cases) => {
  for (const each of cases) {
    it(titleOf(each), () => {
      const thrown = thrownBy(each.throwing)
      isExpected(thrown, each)
      const result = each.twin()
      assert(Result.isFailure(result))
      assert.deepStrictEqual(result.failure, thrown)
      assert.notInclude(String(thrown), inBase64)
    })
  }
})

describe("a twin of valid options returns what the constructor makes", () => {
  const policy = { freshFor: "1 minute", jitter: 0.1 } as const
  it.each(
    typesOf<readonly [Result.Result<unknown, never> | Result.Result<unknown, unknown>, unknown]>({
      "Policy.make": [Policy.makeResult(policy), Policy.make(policy)],
      "EarlyRefresh.after": [EarlyRefresh.afterResult(0.5), EarlyRefresh.after(0.5)],
      "EarlyRefresh.xfetch": [EarlyRefresh.xfetchResult(), EarlyRefresh.xfetch()],
      "EarlyRefresh.scheduled": [
        EarlyRefresh.scheduledResult(EarlyRefresh.xfetch(), spaced),
        scheduled,
      ],
    }),
  )("%s", (_, [result, made]) => {
    assert(Result.isSuccess(result))
    assert.deepStrictEqual(result.success, made)
  })

  it("BoundedMap.make", () => {
    const map = Result.getOrThrow(BoundedMap.makeResult<number>({ maxEntries: 2 }))
    assert.deepStrictEqual(map.bounds, { maxEntries: 2, maxWeight: Infinity })
    assert.isTrue(map.set("a", 1))
  })

  it.effect("Wire.compressed and encrypted", () =>
    Effect.gen(function* () {
      const context = { larder: "a", key: "k", schemaVersion: 0, staleUntil: 0 }
      const wire = Result.getOrThrow(
        Result.flatMap(
          Wire.compressedResult(Wire.json, { threshold: 1 }),
          Wire.encryptedResult({ keys, current: "a" }),
        ),
      )
      assert.strictEqual(wire.name, "encrypted(compressed(json))")
      const stored = yield* wire.encode({ text: "t".repeat(500) }, context)
      assert.isBelow(stored.length, 200)
      assert.deepStrictEqual(yield* wire.decode(stored, context), { text: "t".repeat(500) })
    }),
  )

  it.effect("Upstream.make and its guards", () =>
    Effect.gen(function* () {
      const failing = Upstream.makeResult({ lookup: (key: string) => Effect.fail(key) })
      const guarded = Result.getOrThrow(
        failing.pipe(
          Result.flatMap(Upstream.withRetryResult(Schedule.recurs(2))),
          Result.flatMap(Upstream.withCircuitBreakerResult({ key: "prices" })),
          Result.flatMap(Upstream.withConcurrencyResult({ foreground: 1, queue: 0 })),
        ),
      )
      const { breakers, lookup } = yield* guarded.resolve
      assert.deepStrictEqual(
        breakers.map(({ name }) => name),
        ["prices"],
      )
      assert.strictEqual(yield* Effect.flip(lookup("a", undefined)), "a")
      const shed = Result.getOrThrow(
        Upstream.withConcurrencyResult(source, { foreground: 1, queue: 0 }),
      )
      expectTypeOf(shed).toEqualTypeOf<Upstream.Upstream<string, string, Upstream.Shed>>()
      const kept = Result.getOrThrow(Upstream.withConcurrencyResult(source, 8))
      expectTypeOf(kept).toEqualTypeOf<Upstream.Upstream<string, string>>()
    }).pipe(Effect.scoped),
  )
})

// ---- methods of a value -----------------------------------------------------------------------

it.each(noBounds)("BoundedMap: resize and set throw for %s, and change nothing", (bad) => {
  const map = BoundedMap.make<number>()
  map.set("a", 1)
  for (const field of bounds) {
    const resized = { maxEntries: 1, maxWeight: 1, [field]: bad }
    isExpected(
      thrownBy(() => map.resize(resized)),
      {
        module: "BoundedMap",
        field,
        shown: String(bad),
        must: "be an integer of at least 0 or Infinity",
      },
    )
  }
  for (const weight of [bad, Infinity]) {
    isExpected(
      thrownBy(() => map.set("a", 2, { weight })),
      {
        module: "BoundedMap",
        field: "weight",
        shown: String(weight),
        must: "be an integer of at least 0",
      },
    )
  }
  assert.strictEqual(map.get("a"), 1)
  assert.deepStrictEqual(map.bounds, { maxEntries: 10_000, maxWeight: Infinity })
})

// ---- effects and layers -----------------------------------------------------------------------

const onTimeout = () => Effect.void
const orElse = () => Effect.succeedNone

const ofDeadline = (shown: string, after: Duration.Input): ReadonlyArray<OfEffect> =>
  [
    () => Deadline.hard(Effect.void, { after, onTimeout }),
    () => Deadline.hard({ after, onTimeout })(Effect.void),
    () => Deadline.soft(Effect.void, { after, orElse }),
    () => Deadline.soft({ after, orElse })(Effect.void),
    () => Deadline.sleep(after),
  ].map((make) => ({ module: "Deadline", field: "after", shown, must: duration, make }))

const ofMemory = (options: object, field: string, shown: string, must: string): OfEffect => ({
  module: "MemoryTier",
  field,
  shown,
  must,
  make: () => Effect.scoped(Layer.build(MemoryTier.layer(options))),
})

/** A tier whose author gives limits without a check of them. */
const handMade = (limits: object) =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => ({ ...tier, limits })),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))

const ofNetwork = (
  [
    [5, "5"],
    [null, "null"],
    [{}, "an object"],
  ] as const
).map(([network, shown]): OfEffect => ({
  module: "MemoryTier",
  field: "network",
  shown,
  must: "be an object with a function deliver",
  make: () => Effect.scoped(Layer.build(MemoryTier.layerSharedWith({ network } as never))),
}))

const ofEvict = (
  [
    [-0.1, "-0.1"],
    [1.1, "1.1"],
    [Number.NaN, "NaN"],
    ["half", '"half"'],
    [[], "an array of 0"],
  ] as const
).map(([share, shown]): OfEffect => ({
  module: "MemoryTier",
  field: "evict",
  shown,
  must: "be a share of the entries from 0 to 1",
  make: () => Effect.flatMap(MemoryTier.sharedServer(), ({ evict }) => evict(share as never)),
}))

const limitsOfTiers: ReadonlyArray<OfEffect> = ofLimits.flatMap(
  ([limits, field, shown, must]): ReadonlyArray<OfEffect> => [
    {
      module: "MemoryTier",
      field,
      shown,
      must,
      make: () => Effect.scoped(Layer.build(MemoryTier.layerSharedWith(limits))),
    },
    {
      module: "Tier",
      field: `limits.${field}`,
      shown,
      must,
      make: () => over(TierStack.layer(handMade(limits)), larderOf({ value: Schema.String })),
    },
  ],
)

expectTypeOf<Layer.Error<ReturnType<typeof MemoryTier.layer>>>().toEqualTypeOf<never>()

const memory = TierStack.layer(MemoryTier.layer())
const policy = Policy.make({ freshFor: "1 minute" })

const larderOf = (options: object) =>
  Larder.make({ name: "products", upstream: source, policy, ...options } as never)

const over = <A, E>(
  stack: Layer.Layer<TierStack.TierStack>,
  effect: Effect.Effect<A, E, TierStack.TierStack | Scope.Scope>,
) => Effect.scoped(Effect.provide(effect, stack))

const ofLarder = (options: object, field: string, shown: string, must: string): OfEffect => ({
  module: "Larder",
  field,
  shown,
  must,
  make: () => over(memory, larderOf(options)),
})

class Service extends Larder.Service<Service>()("products", {
  upstream: source,
  policy,
  schemaVersion: -1,
}) {}

const resizing = (stack: Layer.Layer<TierStack.TierStack>, given: object) =>
  over(
    stack,
    Effect.flatMap(larderOf({ value: Schema.String }), (larder) =>
      (larder as Larder.Larder<string, string>).resizeMemory(given),
    ),
  )

const effects: ReadonlyArray<OfEffect> = [
  ...ofNetwork,
  ...ofEvict,
  ...limitsOfTiers,
  ...noDurations.flatMap(([shown, after]) => ofDeadline(shown, after)),
  ...bounds.flatMap((field) =>
    [0, ...noBounds].flatMap((bad) => [ofMemory({ [field]: bad }, field, String(bad), permits)]),
  ),
  ...noDurations
    .filter(([, got]) => got !== null)
    .map(([shown, got]) =>
      ofMemory(
        { maxFreshFor: got },
        "maxFreshFor",
        shown,
        'be a duration above 0, such as "1 second"',
      ),
    ),
  ofMemory({ maxFreshFor: 0 }, "maxFreshFor", "0", "be a duration above 0"),
  ofMemory({ maxFreshFor: null }, "maxFreshFor", "null", "be a duration above 0"),
  ofMemory({ maxFreshFor: "0 millis" }, "maxFreshFor", '"0 millis"', "be a duration above 0"),
  ofMemory({ eviction: "fifo" }, "eviction", '"fifo"', eviction),
  ofLarder({ name: " " }, "name", '" "', 'be a non-blank string, such as "products"'),
  ofLarder({ name: undefined }, "name", "undefined", "be a non-blank string"),
  ...[-1, 0.5, 100_000_000, Number.NaN].map((schemaVersion) =>
    ofLarder(
      { schemaVersion },
      "schemaVersion",
      String(schemaVersion),
      "be an integer from 0 to 99,999,999",
    ),
  ),
  ofLarder({ closeTimeout: "soon" }, "closeTimeout", '"soon"', duration),
  ofLarder({ closeTimeout: null }, "closeTimeout", "null", duration),
  ...[-1, Number.NaN, Infinity, null].map((replicaLag) =>
    ofLarder(
      { replicaLag },
      "replicaLag",
      String(replicaLag),
      "be a finite duration of at least 0",
    ),
  ),
  ofLarder({ objective: "young" }, "objective", '"young"', "be an object with youngerThan"),
  ...[1, 0, -0.5, 2, Number.NaN, undefined].map((share) =>
    ofLarder(
      { objective: { youngerThan: "1 second", share } },
      "objective.share",
      String(share),
      "be a number above 0 and below 1",
    ),
  ),
  ofLarder(
    { objective: { youngerThan: "soon", share: 0.9 } },
    "objective.youngerThan",
    '"soon"',
    duration,
  ),
  ofLarder(
    { objective: { youngerThan: 0, share: 0.9 } },
    "objective.youngerThan",
    "0",
    "be a duration above 0",
  ),
  ofLarder(
    { objective: { youngerThan: "2 minutes", share: 0.9 } },
    "objective.youngerThan",
    '"2 minutes"',
    "be at most 60000 ms, the age up to which the policy lets values be served",
  ),
  ofLarder({ policy: 5 }, "policy", "5", "be a result of Policy.make or Policy.adaptive"),
  {
    ...ofLarder({}, "value", "undefined", "be a schema, such as Schema.String"),
    make: () => over(TierStack.layer(MemoryTier.layerShared), larderOf({})),
  },
  {
    ...ofLarder({}, "maxAge", "NaN", duration),
    make: () =>
      over(
        memory,
        Effect.flatMap(larderOf({}), (larder) =>
          (larder as Larder.Larder<string, string>)
            .get("k", { maxAge: Number.NaN })
            .pipe(Effect.catch((error) => Effect.succeed(error))),
        ),
      ),
  },
  {
    ...ofLarder({}, "schemaVersion", "-1", "be an integer from 0 to 99,999,999"),
    make: () => Effect.scoped(Layer.build(Layer.provide(Service.layer, memory))),
  },
  {
    ...ofLarder({}, "schemaVersion", "-1", "be an integer from 0 to 99,999,999"),
    make: () =>
      over(
        memory,
        Larder.fn({ name: "products", policy, schemaVersion: -1 })((key: string) =>
          Effect.succeed(key),
        ),
      ),
  },
  {
    module: "Upstream",
    field: "withCircuitBreaker key",
    shown: '"prices"',
    must: "differ from the keys of the other circuits of the pipe, or be left out",
    make: () =>
      Effect.scoped(
        source.pipe(
          Upstream.withCircuitBreaker({ key: "prices" }),
          Upstream.withCircuitBreaker({ key: "prices" }),
        ).resolve,
      ),
  },
]

class Source extends Upstream.Service<Source, string, string>()("test/Source") {}

const ofService: Case = {
  module: "Upstream",
  field: "lookup",
  shown: "undefined",
  must: "be a function from a key to an Effect",
}

describe("an Effect or a Layer dies, and the error is not in its type", () => {
  const all = [
    ...effects,
    { ...ofService, make: () => Effect.scoped(Layer.build(Source.layer({} as never))) },
    {
      ...ofService,
      make: () => Effect.scoped(Layer.build(Source.layerEffect(Effect.succeed({} as never)))),
    },
  ]
  for (const [i, each] of all.entries()) {
    it.effect(`${titleOf(each)} (${i})`, () =>
      Effect.gen(function* () {
        const effect = each.make()
        const exit = yield* Effect.exit(effect)
        assert(Exit.isFailure(exit))
        assert.isTrue(Cause.hasDies(exit.cause))
        isExpected(Cause.squash(exit.cause), each)
      }),
    )
  }
})

describe("resizeMemory, whose bounds may come from an operator, fails with the error", () => {
  const all = [
    ...bounds.flatMap((field) =>
      [0, ...noBounds].map((bad) => ({
        ...ofMemory({ [field]: bad }, field, String(bad), permits),
        make: () => resizing(memory, { [field]: bad }),
      })),
    ),
    {
      ...ofLarder(
        {},
        "resizeMemory",
        '"shared"',
        "have a MemoryTier as the first tier of the TierStack",
      ),
      make: () => resizing(TierStack.layer(MemoryTier.layerShared), { maxEntries: 10 }),
    },
  ]
  for (const [i, each] of all.entries()) {
    it.effect(`${titleOf(each)} (${i})`, () =>
      Effect.gen(function* () {
        isExpected(yield* Effect.flip(each.make()), each)
      }),
    )
  }
})

describe("the value in a reason", () => {
  const shown = (got: unknown): string =>
    InvalidOptions.of({ module: "Test", field: "field", must: "be valid", got }).reason.replace(
      "must be valid, got ",
      "",
    )

  it.each<readonly [unknown, string]>([
    ["", '""'],
    ['a "quoted"\n', '"a \\"quoted\\"\\n"'],
    ["x".repeat(60), `"${"x".repeat(60)}"`],
    [5n, "5"],
    [true, "true"],
    [Symbol("secret"), "Symbol(secret)"],
    [() => 1, "a function"],
    [["a", "b"], "an array of 2"],
    [{ password: "s3cret" }, "an object"],
    [{ _tag: 5 }, "an object"],
    [Duration.seconds(1), "1000 millis"],
  ])("%s is shown", (got, text) => assert.strictEqual(shown(got), text))

  it("is cut where it is long", () => {
    assert.strictEqual(shown("x".repeat(61)), `"${"x".repeat(60)}…"`)
    assert.strictEqual(shown(10n ** 90n), `1${"0".repeat(59)}…`)
    assert.strictEqual(
      shown({ _tag: "x".repeat(1_000) }),
      `an object with _tag "${"x".repeat(60)}…"`,
    )
  })

  it("shows nothing of a Redacted, nor of an object", () => {
    for (const got of [Redacted.make("s3cret"), { password: "s3cret" }, ["s3cret"]]) {
      assert.notInclude(shown(got), "s3cret")
    }
    assert.strictEqual(shown(Redacted.make("s3cret")), "<redacted>")
    assert.strictEqual(shown(wiped), "<redacted>")
  })
})

// ---- names of options, and what is no object -----------------------------------------------------

/** The message of the error that `make` throws, returns, fails or dies with. */
const messageOf = (make: () => unknown): string => {
  const made = Result.try(make)
  if (Result.isFailure(made)) return String((made.failure as Error).message)
  if (Result.isResult(made.success)) {
    assert(Result.isFailure(made.success))
    return String((made.success.failure as Error).message)
  }
  const exit = Effect.runSyncExit(made.success as Effect.Effect<unknown>)
  assert(Exit.isFailure(exit))
  const error = Cause.squash(exit.cause)
  assert(error instanceof InvalidOptions || error instanceof Policy.InvalidPolicy)
  return error.message
}

const layered = (layer: Layer.Layer<Tier.Tier>) => Effect.scoped(Layer.build(layer))
const given = (value: unknown): never => value as never
type AnyLarder = Larder.Larder<string, string>
const withLarder = (use: (larder: AnyLarder) => Effect.Effect<unknown, unknown>) =>
  over(
    memory,
    Effect.flatMap(larderOf({}), (larder) => use(larder as AnyLarder)),
  )

const takesOptions: Readonly<Record<string, readonly [(options: never) => unknown, string]>> = {
  "Policy.make": [Policy.make, "Policy: options"],
  "Policy.makeResult": [Policy.makeResult, "Policy: options"],
  "Policy.checked": [(options) => Policy.checked(policy, options), "Policy: options"],
  "Policy.checked, piped": [(options) => Policy.checked(options)(policy), "Policy: options"],
  "EarlyRefresh.xfetch": [EarlyRefresh.xfetch, "Policy: earlyRefresh"],
  "BoundedMap.make": [BoundedMap.make, "BoundedMap: options"],
  "Wire.compressed": [(options) => Wire.compressed(Wire.json, options), "Wire: options"],
  "Wire.encrypted": [(options) => Wire.encrypted(Wire.json, options), "Wire: options"],
  "Upstream.make": [Upstream.make, "Upstream: lookups"],
  "Upstream.withCircuitBreaker": [Upstream.withCircuitBreaker, "Upstream: withCircuitBreaker"],
  "MemoryTier.layer": [(options) => layered(MemoryTier.layer(options)), "MemoryTier: options"],
  "MemoryTier.layerSharedWith": [
    (options) => layered(MemoryTier.layerSharedWith(options)),
    "MemoryTier: options",
  ],
  "Tier.checkLimits": [(options) => Tier.checkLimits("DiskTier", options), "DiskTier: options"],
  "Deadline.hard": [(options) => Deadline.hard(Effect.void, options), "Deadline: options"],
  "Deadline.soft": [(options) => Deadline.soft(Effect.void, options), "Deadline: options"],
  "Larder.make": [(options) => over(memory, Larder.make(options)), "Larder: options"],
  "larder.set": [
    (options) => withLarder((larder) => larder.set("k", "v", options)),
    "Larder: options",
  ],
  "larder.get": [(options) => withLarder((larder) => larder.get("k", options)), "Larder: options"],
  "larder.clear": [(options) => withLarder((larder) => larder.clear(options)), "Larder: options"],
  "larder.resizeMemory": [
    (options) => withLarder((larder) => larder.resizeMemory(options)),
    "MemoryTier: options",
  ],
}

describe.each(typesOf(takesOptions))("%s refuses what is no object", (_, [make, begin]) => {
  it.each([
    ["null", null],
    ["5", 5],
    ["an array of 1", [5]],
  ] as const)("%s", (shown, got) => {
    const message = messageOf(() => make(given(got)))
    assert.isTrue(message.startsWith(begin), message)
    assert.include(message, " must be an object with ")
    assert.isTrue(message.endsWith(`, got ${shown}`), message)
  })
})

it.each<readonly [string, () => unknown]>([
  [
    "Larder: upstream",
    () => over(memory, Larder.Service()("id", given(null)).layer.pipe(Layer.build)),
  ],
  ["Larder: name", () => over(memory, Larder.fn(given(null))(given(() => Effect.void)))],
])("%s: a service or function without options dies where it is made", (begin, make) => {
  const message = messageOf(make)
  assert.isTrue(message.startsWith(begin), message)
})

const misspelt: ReadonlyArray<readonly [message: string, make: () => unknown]> = [
  [
    "Policy: freshfor is an unknown option; did you mean `freshFor`?",
    () => Policy.make(given({ freshfor: 1, freshFor: 1 })),
  ],
  [
    "Policy: ttl is an unknown option; the options are freshFor, staleWhileRevalidate, staleIfError, jitter, earlyRefresh, softTimeout, hardTimeout, retryAfterFailure, tierTimeout, tierBudget, tierWrites and checkEvery",
    () => Policy.makeResult(given({ freshFor: 1, ttl: 1 })),
  ],
  [
    "Policy: evry is an unknown option; did you mean `every`?",
    () => Policy.checked(policy, given({ evry: 1 })),
  ],
  [
    "Policy: earlyRefresh.betta is an unknown option; did you mean `beta`?",
    () => EarlyRefresh.xfetch(given({ betta: 1 })),
  ],
  [
    "BoundedMap: maxentries is an unknown option; did you mean `maxEntries`?",
    () => BoundedMap.make(given({ maxentries: 1 })),
  ],
  [
    "Wire: treshold is an unknown option; did you mean `threshold`?",
    () => Wire.compressed(Wire.json, given({ treshold: 1 })),
  ],
  [
    "Wire: key is an unknown option; did you mean `keys`?",
    () => Wire.encrypted(Wire.json, given({ key: keys, keys, current: "a" })),
  ],
  [
    "Upstream: lookupmany is an unknown option; did you mean `lookupMany`?",
    () => Upstream.make(given({ lookup, lookupmany: lookup })),
  ],
  [
    "Upstream: withConcurrency.backgroud is an unknown option; did you mean `background`?",
    () => Upstream.withConcurrency(given({ foreground: 1, backgroud: 1 })),
  ],
  [
    "Upstream: withCircuitBreaker.openDurations is an unknown option; did you mean `openDuration`?",
    () => Upstream.withCircuitBreaker(given({ openDurations: 1 })),
  ],
  [
    "MemoryTier: maxentry is an unknown option; did you mean `maxEntries`?",
    () => layered(MemoryTier.layer(given({ maxentry: 1 }))),
  ],
  [
    "MemoryTier: hartbeat is an unknown option; did you mean `heartbeat`?",
    () => layered(MemoryTier.layerSharedWith(given({ hartbeat: 1 }))),
  ],
  [
    "MemoryTier: breaker.failure is an unknown option; did you mean `failures`?",
    () => layered(MemoryTier.layerSharedWith(given({ breaker: { failure: 1 } }))),
  ],
  [
    "MemoryTier: push.maxByte is an unknown option; did you mean `maxBytes`?",
    () => layered(MemoryTier.layerSharedWith(given({ push: { maxByte: 1 } }))),
  ],
  [
    "Tier: limits.leasetime is an unknown option; did you mean `leaseTime`?",
    () => over(TierStack.layer(handMade({ leasetime: 1_000 })), larderOf({ value: Schema.String })),
  ],
  [
    "Deadline: onTimeOut is an unknown option; did you mean `onTimeout`?",
    () => Deadline.hard(Effect.void, given({ after: 1, onTimeOut: onTimeout })),
  ],
  [
    "Larder: schemaversion is an unknown option; did you mean `schemaVersion`?",
    () => over(memory, larderOf({ schemaversion: 1 })),
  ],
  [
    'Larder: maxage of "products" is an unknown option; did you mean `maxAge`?',
    () => withLarder((larder) => larder.get("k", given({ maxage: 1 }))),
  ],
  [
    'Larder: forced of "products" is an unknown option; did you mean `force`?',
    () => withLarder((larder) => larder.set("k", "v", given({ forced: true }))),
  ],
  [
    'Larder: keepstale of "products" is an unknown option; did you mean `keepStale`?',
    () => withLarder((larder) => larder.invalidateTags("tag", given({ keepstale: true }))),
  ],
  [
    "MemoryTier: max is an unknown option; the options are maxEntries and maxWeight",
    () => withLarder((larder) => larder.resizeMemory(given({ max: 1 }))),
  ],
]

describe("an unknown option is refused, with the nearest one as the remedy", () => {
  it.each(misspelt)("%s", (message, make) => assert.strictEqual(messageOf(make), message))

  it("an option that is undefined counts as left out, also with an unknown name", () => {
    assert.deepStrictEqual(
      Policy.make(given({ freshFor: 1, ttl: undefined })),
      Policy.make({ freshFor: 1 }),
    )
  })

  it("a name that every object inherits is unknown too", () => {
    const message = messageOf(() => BoundedMap.make(given({ toString: () => "" })))
    assert.include(message, "toString is an unknown option")
  })

  it("an upstream that is an object of a class may have other members", () => {
    class Own {
      readonly cache = new Map()
      readonly lookup = lookup
    }
    assert.isTrue(Upstream.isUpstream(Upstream.make(new Own())))
  })
})

const fn = "be a function, or be left out"
const notMany: ReadonlyArray<readonly [shown: string, got: unknown]> = [
  ["null", null],
  ["undefined", undefined],
  ["5", 5],
  ["true", true],
  ["an object", {}],
  ["a function", () => []],
]
const notALayer: ReadonlyArray<readonly [shown: string, got: unknown]> = [
  ...notMany,
  ["an array of 0", []],
  ['"memory"', "memory"],
]
const unusable: ReadonlyArray<readonly [message: string, make: () => unknown]> = [
  ...[...notMany, ['"k"', "k"] as const].map(
    ([shown, got]) =>
      [
        `Larder: getMany of "products" must get an iterable of keys, such as an array; \`get\` takes one key, got ${shown}`,
        () => withLarder((larder) => larder.getMany(given(got))),
      ] as const,
  ),
  ...notMany.map(
    ([shown, got]) =>
      [
        `Larder: invalidateTags of "products" must get a tag, or an iterable of tags such as an array, got ${shown}`,
        () => withLarder((larder) => larder.invalidateTags(given(got))),
      ] as const,
  ),
  ...notALayer.flatMap(([shown, got]) =>
    [
      ["tiers[0]", TierStack.layer(given(got))] as const,
      ["tiers[1]", TierStack.layer(MemoryTier.layer(), given(got))] as const,
    ].map(
      ([field, stack]) =>
        [
          `TierStack: ${field} must be the layer of a tier, such as MemoryTier.layer(), got ${shown}`,
          () => over(stack, Effect.void),
        ] as const,
    ),
  ),
  [
    "TierStack: tiers[0] must be the layer of a tier, such as MemoryTier.layer(), got undefined",
    () => over((TierStack.layer as () => Layer.Layer<TierStack.TierStack>)(), Effect.void),
  ],
  ...[5, null].map(
    (bad) =>
      [
        `Larder: key of "products" must be a function, or a schema that is encoded as a string, such as Schema.FiniteFromString, or be left out, got ${bad}`,
        () => over(memory, larderOf({ key: bad })),
      ] as const,
  ),
  ...(["tags", "etag", "failureFor", "graceFor", "revision"] as const).flatMap((field) =>
    [5, null].map(
      (bad) =>
        [
          `Larder: ${field} of "products" must ${fn}, got ${bad}`,
          () => over(memory, larderOf({ [field]: bad })),
        ] as const,
    ),
  ),
  [
    'Larder: upstream of "products" must be a result of Upstream.make, got an object',
    () => over(memory, larderOf({ upstream: { lookup } })),
  ],
  [
    'Larder: value of "products" must be a schema, such as Schema.String, got "text"',
    () => over(memory, larderOf({ value: "text" })),
  ],
  [
    'Larder: fn of "products" must get a function that returns an Effect, got 5',
    () => over(memory, Larder.fn({ name: "products", policy })(given(5))),
  ],
  [
    `Larder: key of "products" must ${fn}, got 5`,
    () => over(memory, Larder.fn(given({ name: "products", policy, key: 5 }))(given(lookup))),
  ],
  [
    'Larder: check of "products" must be true or false, got "false"',
    () => withLarder((larder) => larder.get("k", given({ check: "false" }))),
  ],
  [
    'Larder: stale of "products" must be "allow" or "never", got "no"',
    () => withLarder((larder) => larder.getWithMeta("k", given({ stale: "no" }))),
  ],
  [
    'Larder: force of "products" must be true or false, got "no"',
    () => withLarder((larder) => larder.set("k", "v", given({ force: "no" }))),
  ],
  [
    'Larder: keepStale of "products" must be true or false, got "false"',
    () => withLarder((larder) => larder.clear(given({ keepStale: "false" }))),
  ],
  [
    'Larder: keepStale of "products" must be true or false, got 0',
    () => withLarder((larder) => larder.invalidateWhen(() => true, given({ keepStale: 0 }))),
  ],
  [
    'Larder: invalidateWhen of "products" must get a function that accepts the entries to invalidate, got "k"',
    () => withLarder((larder) => larder.invalidateWhen(given("k"))),
  ],
  [
    "Policy: adaptive must get a function of the value, got 5",
    () => Policy.adaptive(policy, given(5)),
  ],
  [
    "MemoryTier: weigh must be a function from a value to its weight, or be left out, got 5",
    () => layered(MemoryTier.layer(given({ weigh: 5 }))),
  ],
  [`BoundedMap: onEvicted must ${fn}, got 5`, () => BoundedMap.make(given({ onEvicted: 5 }))],
  [
    "BoundedMap: seed must be a 32-bit integer, got NaN",
    () => BoundedMap.make({ seed: Number.NaN }),
  ],
  [
    "Deadline: onTimeout must be a function that returns an Effect, got 5",
    () => Deadline.hard(Effect.void, given({ after: 1, onTimeout: 5 })),
  ],
  [
    "Deadline: orElse must be a function that returns an Effect, got undefined",
    () => Deadline.soft(Effect.void, given({ after: 1 })),
  ],
  [
    "Upstream: withCircuitBreaker classify must be a function from an Exit to an outcome, or be left out, got 5",
    () => Upstream.withCircuitBreaker(given({ classify: 5 })),
  ],
  [
    'Upstream: withCircuitBreaker onStoreError must be "allow" or "fail", got "ignore"',
    () => Upstream.withCircuitBreaker(given({ onStoreError: "ignore" })),
  ],
  [
    "Upstream: withCircuitBreaker key must be a non-empty string, or be left out, got 5",
    () => Upstream.withCircuitBreaker(given({ key: 5 })),
  ],
  ...[5, { name: "x", encode: lookup }].map(
    (wire) =>
      [
        `Wire: wire must be a wire, such as Wire.json, got ${wire === 5 ? 5 : "an object"}`,
        () => Wire.encryptedResult(given(wire), { keys, current: "a" }),
      ] as const,
  ),
  [
    "Wire: wire must be a wire, such as Wire.json, got an object",
    () => Wire.compressedResult()(given({ encode: lookup })),
  ],
  [
    "Tier: wire must be a wire, such as Wire.json, got 5",
    () =>
      over(
        TierStack.layer(
          Layer.effect(
            Tier.Tier,
            Effect.map(Tier.Tier, (tier): Tier.ByteTier => ({
              ...(tier as Tier.ByteTier),
              wire: given(5),
            })),
          ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared))),
        ),
        larderOf({ value: Schema.String }),
      ),
  ],
]

describe("a value that could not be used is refused where it is given", () => {
  it.each(unusable)("%s", (message, make) => assert.strictEqual(messageOf(make), message))
})
