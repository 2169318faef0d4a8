/** Options that the kit cannot use: the error names module, option and remedy. None is ignored. */
import { describe, expect, it } from "@effect/vitest"
import { Backplane, MemoryTier } from "@larder/core"
import {
  BackplaneConformance,
  Chaos,
  Cluster,
  LarderTest,
  OutboxConformance,
  TierConformance,
  Timeline,
} from "@larder/testing"
import { Effect, Layer } from "effect"
import { failureOf, Prices, Source } from "./support/shop.ts"

const given = (value: unknown): never => value as never

/** A place of each kind, so that the names of places are known. */
const places = Effect.gen(function* () {
  yield* Layer.build(Chaos.aroundTier(Layer.fresh(MemoryTier.layerShared), { name: "tier" }))
  yield* Layer.build(Chaos.aroundBackplane(Backplane.layerMemory, { name: "backplane" }))
  yield* LarderTest.nodes(1, Prices.layer)
})

type Services = Effect.Services<typeof places>

const built = <A, E>(layer: Layer.Layer<A, E, Chaos.Chaos>) => Layer.build(layer)
const nodes = (app: unknown, options?: unknown) =>
  LarderTest.nodes(1, app as typeof Prices.layer, given(options))
const inNodes = (options: unknown) => nodes(Prices.layer, options)
const never = Effect.never
const shared = Layer.fresh(MemoryTier.layerShared)

const cases: ReadonlyArray<
  readonly [message: string, make: () => Effect.Effect<unknown, unknown, Services>]
> = [
  // ---- unknown names
  [
    "Timeline: nod is an unknown option; did you mean `node`?",
    () => Timeline.expect("milk", given({ nod: "A" })).lookups(0),
  ],
  [
    "Chaos: failur is an unknown option; did you mean `failure`?",
    () => Chaos.setUpstream("catalogue", given({ failur: 1 })),
  ],
  [
    "Chaos: lostAnswers is an unknown option; did you mean `lostAnswer`?",
    () => Chaos.setTier("tier", given({ lostAnswers: 1 })),
  ],
  [
    "Chaos: loose is an unknown option; did you mean `lose`?",
    () => Chaos.setMessages("tier", given({ loose: 1 })),
  ],
  [
    "Chaos: spareHeartbeats is an unknown option; the options are lose, duplicate, delay, reorder and failure",
    () => Chaos.setBackplane("backplane", given({ spareHeartbeats: true })),
  ],
  [
    "Chaos: fault is an unknown option; did you mean `faults`?",
    () => built(Chaos.aroundTier(shared, given({ fault: {} }))),
  ],
  [
    "Chaos: failur is an unknown option; did you mean `failure`?",
    () => built(Chaos.aroundTier(shared, { faults: given({ failur: 1 }) })),
  ],
  [
    "Chaos: nane is an unknown option; did you mean `name`?",
    () => built(Chaos.aroundBackplane(Backplane.layerMemory, given({ nane: "b" }))),
  ],
  [
    "Chaos: failures is an unknown option; did you mean `failure`?",
    () => Effect.sync(() => Chaos.aroundUpstream(given({ failures: () => 1 }))),
  ],
  [
    "Chaos: heartbeet is an unknown option; did you mean `heartbeat`?",
    () => built(Chaos.layerSharedWith(given({ heartbeet: 1_000 }))),
  ],
  [
    "LarderTest: sed is an unknown option; did you mean `seed`?",
    () => Layer.build(LarderTest.layerWith(given({ sed: 1 }))),
  ],
  [
    "LarderTest: withn is an unknown option; did you mean `within`?",
    () => LarderTest.settle(never, given({ withn: 1 })),
  ],
  [
    "LarderTest: skew is an unknown option; did you mean `skews`?",
    () => inNodes({ skew: [0, 300_000] }),
  ],
  [
    "MemoryTier: maxentries is an unknown option; did you mean `maxEntries`?",
    () => inNodes({ memory: { maxentries: 1 } }),
  ],
  [
    "LarderTest: keys is an unknown option; did you mean `key`?",
    () => Layer.build(LarderTest.stub(Prices, { milk: 1 }, given({ keys: String }))),
  ],
  [
    "Cluster: limit is an unknown option; did you mean `limits`?",
    () => Cluster.make(1, Prices.layer, given({ limit: {} })),
  ],
  [
    "Cluster: leasetime is an unknown option; did you mean `leaseTime`?",
    () => Cluster.make(1, Prices.layer, { limits: given({ leasetime: 1_000 }) }),
  ],
  // ---- values
  ["LarderTest: app must be a layer, such as Products.layer, got a function", () => nodes(Prices)],
  [
    "LarderTest: advance must be a duration that ends, got Infinity",
    () => LarderTest.advance(Infinity),
  ],
  [
    "Timeline: key must be a string or a number, or be left out for every key, got null",
    () => Timeline.expect(given(null)).lookups(0),
  ],
  [
    "Timeline: key must be a string or a number, or be left out for every key, got an object",
    () => Timeline.expect(given({})).lookups(0),
  ],
  ...([-1, 1.5, Number.NaN, "1", Infinity] as const).flatMap((count) =>
    (["lookups", "lookupsAtMost"] as const).map(
      (field) =>
        [
          `Timeline: ${field} must be an integer of at least 0, got ${typeof count === "string" ? '"1"' : count}`,
          () => Timeline.expect("milk")[field](given(count)),
        ] as const,
    ),
  ),
  [
    'Chaos: failure must be a share from 0 to 1, got "1"',
    () => Chaos.setTier("tier", given({ failure: "1" })),
  ],
  [
    "Chaos: hang must be a share from 0 to 1, got true",
    () => Chaos.setUpstream("catalogue", given({ hang: true })),
  ],
  [
    'Chaos: operations must be "all", "reads", "writes" or "leases", got "read"',
    () => Chaos.setTier("tier", given({ failure: 1, operations: "read" })),
  ],
  [
    'Chaos: keys must be an array of strings, got "milk"',
    () => Chaos.setUpstream("catalogue", given({ failure: 1, keys: "milk" })),
  ],
  [
    "Chaos: keys must be an array of strings, got an array of 1",
    () => Chaos.setUpstream("catalogue", given({ failure: 1, keys: [1] })),
  ],
  [
    "Chaos: spareHeartbeats must be true or false, got 1",
    () => Chaos.setMessages("tier", given({ spareHeartbeats: 1 })),
  ],
  [
    'Chaos: delay must be a duration of at least 0, such as "1 second", got "soon"',
    () => Chaos.setMessages("tier", given({ delay: "soon" })),
  ],
  [
    "Chaos: name must be a non-empty string, or be left out, got 5",
    () => built(Chaos.aroundTier(shared, given({ name: 5 }))),
  ],
  [
    'Chaos: name must be a non-empty string, or be left out, got ""',
    () => Effect.sync(() => Chaos.aroundUpstream({ name: "" })),
  ],
  ["Chaos: tier must be a layer, got null", () => built(Chaos.aroundTier(given(null)))],
  ["Chaos: backplane must be a layer, got 5", () => built(Chaos.aroundBackplane(given(5)))],
  [
    "Chaos: failure must be a function, or be left out, got 1",
    () => Effect.sync(() => Chaos.aroundUpstream(given({ failure: 1 }))),
  ],
  [
    "LarderTest: stack must be a layer, got 5",
    () => Layer.build(LarderTest.layerWith(given({ stack: 5 }))),
  ],
  ...[null, Number.NaN].map(
    (seed) =>
      [
        `LarderTest: seed must be a string or a finite number, got ${seed}`,
        () => Layer.build(LarderTest.layerWith(given({ seed }))),
      ] as const,
  ),
  ["LarderTest: app must be a layer, got null", () => nodes(null)],
  ["LarderTest: app must be a layer, got 5", () => nodes(() => 5)],
  ...(
    [
      [5, "5"],
      [{}, "an object"],
      [null, "null"],
    ] as const
  ).flatMap(
    ([got, shown]) =>
      [
        [
          `LarderTest: file must be true or false, or a function from a node to a layer, got ${shown}`,
          () => inNodes({ file: got }),
        ],
        [`LarderTest: file must be a layer, got ${shown}`, () => inNodes({ file: () => got })],
        [`LarderTest: shared must be a layer, got ${shown}`, () => inNodes({ shared: got })],
        [
          `LarderTest: skews must be an array of finite numbers of milliseconds, got ${shown}`,
          () => inNodes({ skews: got }),
        ],
      ] as const,
  ),
  [
    "LarderTest: skews must be an array of finite numbers of milliseconds, got an array of 1",
    () => inNodes({ skews: ["300"] }),
  ],
  [
    "LarderTest: skews must have at most 1, one for each node, got an array of 2",
    () => inNodes({ skews: [0, 1] }),
  ],
  [
    "LarderTest: setSkew must be a finite number of milliseconds, got NaN",
    () => Effect.flatMap(LarderTest.nodes(1, Prices.layer), ([a]) => a.setSkew(Number.NaN)),
  ],
  [
    "LarderTest: values must be an object with a value for each key, got null",
    () => Layer.build(LarderTest.stub(Prices, given(null))),
  ],
  [
    "LarderTest: key must be a function, or be left out, got 5",
    () => Layer.build(LarderTest.stub(Prices, {}, given({ key: 5 }))),
  ],
]

const takesDurations: Readonly<
  Record<string, (got: never) => Effect.Effect<unknown, unknown, Services>>
> = {
  "Timeline: neverServedOlderThan": (got) => Timeline.expect("milk").neverServedOlderThan(got),
  "Timeline: answeredWithin": (got) => Timeline.expect("milk").answeredWithin(got),
  "Timeline: settlesWithin": (got) => Timeline.expect("milk").settlesWithin(got),
  "LarderTest: advance": (got) => LarderTest.advance(got),
  "LarderTest: within": (got) => LarderTest.settle(never, { within: got }),
  "Chaos: latency": (got) => Chaos.setTier("tier", { latency: got }),
  "Chaos: delay": (got) => Chaos.setMessages("tier", { delay: got }),
  "Chaos: between": (got) => Effect.sync(() => Chaos.between(1, got)),
  "Chaos: exponential": (got) => Effect.sync(() => Chaos.exponential(got)),
}

const noDurations = [
  ["5 parsecs", '"5 parsecs"'],
  [{ parsecs: 5 }, "an object"],
  [{ seconds: 5, parsecs: 1 }, "an object"],
  [{ seconds: Number.NaN }, "an object"],
  [[Number.NaN, 0], "an array of 2"],
  [Number.NaN, "NaN"],
  [-1, "-1"],
  [null, "null"],
] as const

const suites = {
  TierConformance: (options: unknown) => [
    () => TierConformance.subject(given(options)),
    () => Effect.sync(() => TierConformance.suite(given(options))),
  ],
  BackplaneConformance: (options: unknown) => [
    () => BackplaneConformance.subject(given(options)),
    () => Effect.sync(() => BackplaneConformance.suite(given(options))),
  ],
  OutboxConformance: (options: unknown) => [
    () => OutboxConformance.subject(given(options)),
    () => Effect.sync(() => OutboxConformance.suite(given(options))),
  ],
}

const ofSuites = Object.entries(suites).flatMap(([module, make]) =>
  (
    [
      ["timeot is an unknown option; did you mean `timeout`?", { timeot: 1 }],
      ["layer must be a layer, got 5", { layer: 5 }],
      ['time must be "virtual" or "real", got "virtuel"', { time: "virtuel" }],
      ["timeout must be a number of milliseconds above 0, got 0", { timeout: 0 }],
      ['timeout must be a number of milliseconds above 0, got "1"', { timeout: "1" }],
      ["options must be an object with name, layer, time and timeout, got null", null],
    ] as const
  ).flatMap(([text, options]) =>
    make(options && { name: "a suite", layer: MemoryTier.layer(), ...options }).map(
      (each) => [`${module}: ${text}`, each] as const,
    ),
  ),
)

const takesOptions: Readonly<
  Record<string, (options: never) => Effect.Effect<unknown, unknown, Services>>
> = {
  "Timeline.expect": (options) => Timeline.expect("milk", options).lookups(0),
  "Chaos.setTier": (faults) => Chaos.setTier("tier", faults),
  "Chaos.setUpstream": (faults) => Chaos.setUpstream("catalogue", faults),
  "Chaos.setMessages": (faults) => Chaos.setMessages("tier", faults),
  "Chaos.setBackplane": (faults) => Chaos.setBackplane("backplane", faults),
  "Chaos.aroundTier": (options) => built(Chaos.aroundTier(shared, options)),
  "Chaos.aroundBackplane": (options) =>
    built(Chaos.aroundBackplane(Backplane.layerMemory, options)),
  "Chaos.aroundUpstream": (options) => Effect.sync(() => Chaos.aroundUpstream(options)),
  "Chaos.layerSharedWith": (limits) => built(Chaos.layerSharedWith(limits)),
  "LarderTest.layerWith": (options) => Layer.build(LarderTest.layerWith(options)),
  "LarderTest.settle": (options) => LarderTest.settle(never, options),
  "LarderTest.nodes": inNodes,
  "LarderTest.stub": (options) => Layer.build(LarderTest.stub(Prices, {}, options)),
  "Cluster.make": (options) => Cluster.make(1, Prices.layer, options),
}

const refuses = (make: () => Effect.Effect<unknown, unknown, Services>) =>
  Effect.andThen(places, failureOf(Effect.suspend(make))).pipe(
    Effect.scoped,
    Effect.provide([LarderTest.layer, Source.layer]),
  )

describe("an option that could not be used is refused", () => {
  for (const [i, [message, make]] of [...cases, ...ofSuites].entries()) {
    it.effect(`${message} (${i})`, () =>
      Effect.gen(function* () {
        expect(yield* refuses(make)).toBe(`InvalidOptions: ${message}`)
      }),
    )
  }
})

describe.each(Object.entries(takesDurations))("%s refuses what is no duration", (option, make) => {
  for (const [got, shown] of noDurations) {
    it.effect(shown, () =>
      Effect.gen(function* () {
        expect(yield* refuses(() => make(given(got)))).toBe(
          `InvalidOptions: ${option} must be a duration of at least 0, such as "1 second", got ${shown}`,
        )
      }),
    )
  }
})

describe.each(Object.entries(takesOptions))("%s refuses what is no object", (_, make) => {
  for (const [shown, got] of [
    ["null", null],
    ["5", 5],
    ["an array of 0", []],
  ] as const) {
    it.effect(shown, () =>
      Effect.gen(function* () {
        const message = yield* refuses(() => make(given(got)))
        expect(message).toMatch(/^InvalidOptions: \w+: options must be an object with /)
        expect(message.endsWith(`, got ${shown}`), message).toBe(true)
      }),
    )
  }
})
