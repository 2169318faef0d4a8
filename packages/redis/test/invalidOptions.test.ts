/**
 * Invalid options, for every constructor of the package: the error names module, field, value and
 * remedy, and shows no secret. Layers and effects die with it; with Config it is a typed error.
 */
import { it } from "@effect/vitest"
import { InvalidOptions } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { assert, describe, expectTypeOf } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisBackplane from "../src/RedisBackplane.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { ofLimits } from "../../core/test/support/limits.ts"

interface Case {
  readonly module: "RedisBackplane" | "RedisClient" | "RedisTier"
  readonly field: string
  /** The value as the reason shows it. */
  readonly shown: string
  /** What is valid. */
  readonly must: string
}

const isExpected = (error: unknown, { field, module, must, shown }: Case): void => {
  assert(error instanceof InvalidOptions, String(error))
  assert.deepStrictEqual([error._tag, error.module, error.field], ["InvalidOptions", module, field])
  assert.include(error.reason, `must ${must}`)
  assert.include(error.reason, `, got ${shown}`)
  assert.strictEqual(error.message, `${module}: ${field} ${error.reason}`)
  assert.notInclude(error.message, "s3cret")
}

const defectOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    return Cause.squash(exit.cause)
  })

const titleOf = ({ field, module, shown }: Case): string => `${module}: ${field}, got ${shown}`

// ---- RedisClient ------------------------------------------------------------------------------

type OfClient = readonly [options: object | null, field: string, shown: string, must: string]

const host = "127.0.0.1"
const secret = "<redacted>"
const ways =
  "give the address of Redis in exactly one way (url, host and port, path, sentinels and name, or cluster)"
const time = "be a duration from 1 millisecond to 24 days"
const wiped = Redacted.make("redis://s3cret@h")
Redacted.wipeUnsafe(wiped)

const urls: ReadonlyArray<readonly [url: unknown, must: string]> = [
  ["http://u:s3cret@h", "be redis://host:port, rediss://host:port or unix:///path"],
  ["redis://u:s3cret@h:99999", "be redis://host:port, rediss://host:port or unix:///path"],
  ["", "be redis://host:port, rediss://host:port or unix:///path"],
  [
    "redis://u:s3cret%@h",
    "have its special characters escaped, such as %25 for a % in the password",
  ],
  ["redis://u:s3cret@h/s3cret", "end in the number of a database, such as redis://host:port/0"],
  ["redis://u:s3cret@h/-1", "end in the number of a database, such as redis://host:port/0"],
  ["redis://u:s3cret@h:0", "have a host, and a port from 1 to 65535"],
  ["redis:///0", "have a host, and a port from 1 to 65535"],
  ["unix:", "have a path, such as unix:///path"],
  [wiped, "be a string, or a Redacted of one that was not wiped"],
  [5, "be a string, or a Redacted of one that was not wiped"],
]

const times = ["commandTimeout", "connectTimeout", "heartbeat"] as const

const noTimes: ReadonlyArray<readonly [unknown, string]> = [
  [0, "0"],
  [-1, "-1"],
  [Number.NaN, "NaN"],
  ["soon", '"soon"'],
  ["25 days", '"25 days"'],
  ["5 parsecs", '"5 parsecs"'],
  [{ seconds: 5, parsecs: 1 }, "an object"],
  [Duration.millis(-1), "-1 millis"],
]

const noUrl = "be a host name or an IP address alone; a URL belongs in `url`"

const clients: ReadonlyArray<OfClient> = [
  ...urls.map(([url, must]): OfClient => [{ url }, "url", secret, must]),
  ...[0, 70_000, 1.5, Number.NaN].map((port): OfClient => [
    { host, port },
    "port",
    String(port),
    "be an integer from 1 to 65535",
  ]),
  [{ host: "" }, "host", '""', "be a non-empty string"],
  [{ host: 5 }, "host", "5", "be a non-empty string"],
  [{ path: "" }, "path", '""', "be a non-empty string"],
  [{ path: "unix://u:s3cret@h/redis.sock" }, "path", secret, "be the path of a socket alone"],
  ...["redis://u:s3cret@h", "u:s3cret@h", "h/0", "h h"].flatMap((bad): ReadonlyArray<OfClient> => [
    [{ host: bad }, "host", secret, noUrl],
    [{ sentinels: [{ host: bad, port: 1 }], name: "larder" }, "sentinels[0].host", secret, noUrl],
    [{ cluster: { nodes: [{ host: bad, port: 1 }] } }, "cluster.nodes[0].host", secret, noUrl],
  ]),
  [
    { url: "rediss://u:s3cret@h", tls: false },
    "tls",
    "false",
    "be true or left out with a rediss:// URL",
  ],
  [{ host, db: -1 }, "db", "-1", "be an integer of at least 0"],
  [{ host, db: 0.5 }, "db", "0.5", "be an integer of at least 0"],
  [{ cluster: { nodes: [{ host, port: 1 }] }, db: 1 }, "db", "1", "be 0, the only database"],
  [
    { cluster: { nodes: [] } },
    "cluster.nodes",
    "an array of 0",
    "be an array of at least one { host, port }",
  ],
  [{ cluster: {} }, "cluster.nodes", "undefined", "be an array of at least one { host, port }"],
  [
    {
      cluster: {
        nodes: [
          { host, port: 1 },
          { host, port: 0 },
        ],
      },
    },
    "cluster.nodes[1].port",
    "0",
    "be an integer from 1 to 65535",
  ],
  [
    { sentinels: [{ host: "", port: 1 }], name: "larder" },
    "sentinels[0].host",
    '""',
    "be a non-empty string",
  ],
  [
    { sentinels: [], name: "larder" },
    "sentinels",
    "an array of 0",
    "be an array of at least one { host, port }",
  ],
  [{ sentinels: [{ host, port: 1 }] }, "name", "undefined", "be a non-empty string"],
  [{ sentinels: [{ host, port: 1 }], name: "" }, "name", '""', "be a non-empty string"],
  ...times.flatMap((field) =>
    noTimes.map(([given, shown]): OfClient => [{ host, [field]: given }, field, shown, time]),
  ),
  [{ host, commandTimeout: "Infinity" }, "commandTimeout", '"Infinity"', time],
  [{ host, connectTimeout: "Infinity" }, "connectTimeout", '"Infinity"', time],
  [{ host, heartbeat: -1 }, "heartbeat", "-1", `${time}, or Infinity, such as "1 second"`],
  [{ host, reconnect: { base: 0 } }, "reconnect.base", "0", time],
  [{ host, reconnect: { max: "ever" } }, "reconnect.max", '"ever"', time],
  [
    { host, reconnect: { base: "2 seconds", max: "1 second" } },
    "reconnect.base",
    '"2 seconds"',
    "be at most reconnect.max, which is 1000 ms",
  ],
  [{ host, password: 53_5 }, "password", secret, "be a string, or a Redacted of one"],
  [
    { sentinels: [{ host, port: 1 }], name: "larder", sentinelPassword: ["s3cret"] },
    "sentinelPassword",
    secret,
    "be a string, or a Redacted of one",
  ],
  ...["tls", "sentinelTls"].map((field): OfClient => [
    {
      sentinels: [{ host, port: 1 }],
      name: "larder",
      [field]: { ca: "/s3cret/ca.pem" },
    },
    `${field}.ca`,
    secret,
    "be certificates in PEM: the content of the file, which begins with -----BEGIN CERTIFICATE-----",
  ]),
  [
    { host, tls: { key: "s3cret", cert: "garbage" } },
    "tls",
    "its error: ",
    "be options that Node's tls.connect accepts",
  ],
  [{}, "options", "none", ways],
  [{ host, path: "/tmp/x" }, "host, path", "host, path", ways],
  [{ host, port: 1, url: "redis://u:s3cret@h" }, "url, host, port", "url, host, port", ways],
  [null, "options", "null", "be an object with url, host, port, path,"],
  [{ host, reconnect: 5 }, "reconnect", "5", "be an object with base and max"],
  [{ cluster: null }, "cluster", "null", "be an object with nodes and natMap"],
  [
    { sentinels: [null], name: "larder", sentinelPassword: "s3cret" },
    "options",
    "an object",
    "be RedisClient.Options",
  ],
]

const built = (options: object | null) =>
  Effect.scoped(Layer.build(RedisClient.layer(options as RedisClient.Options)))

describe("RedisClient", () => {
  expectTypeOf<Layer.Error<ReturnType<typeof RedisClient.layer>>>().toEqualTypeOf<never>()
  expectTypeOf<Layer.Error<ReturnType<typeof RedisClient.layerConfig>>>().toEqualTypeOf<
    InvalidOptions | Config.ConfigError
  >()

  for (const [i, [options, field, shown, must]] of clients.entries()) {
    const expected: Case = { module: "RedisClient", field, shown, must }
    it.effect(`the layer dies: ${titleOf(expected)} (${i})`, () =>
      Effect.gen(function* () {
        isExpected(yield* defectOf(built(options)), expected)
      }),
    )
    it.effect(`with Config it fails: ${titleOf(expected)} (${i})`, () =>
      Effect.gen(function* () {
        const given = Config.succeed(options as RedisClient.Options)
        const layer = RedisClient.layerConfig(given)
        isExpected(yield* Effect.flip(Effect.scoped(Layer.build(layer))), expected)
      }),
    )
  }

  it.effect("a value of the environment is a typed error, a missing one a ConfigError", () =>
    Effect.gen(function* () {
      const layer = RedisClient.layerConfig({ url: Config.Redacted("REDIS_URL") })
      const failed = (env: Readonly<Record<string, string>>) =>
        Layer.build(layer).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
          Effect.scoped,
          Effect.flip,
        )
      isExpected(yield* failed({ REDIS_URL: "http://u:s3cret@h" }), {
        module: "RedisClient",
        field: "url",
        shown: secret,
        must: "be redis://host:port",
      })
      assert.strictEqual((yield* failed({}))._tag, "ConfigError")
    }),
  )
})

// ---- RedisTier --------------------------------------------------------------------------------

const prefixes: ReadonlyArray<readonly [prefix: unknown, shown: string, must: string]> = [
  ["", '""', 'be a non-empty string, such as "larder"'],
  [5, "5", 'be a non-empty string, such as "larder"'],
  ["a{b", '"a{b"', "have no braces"],
  ["a}", '"a}"', "have no braces"],
  ["a\n", '"a\\n"', "have no control characters"],
  ["a\u007f", '"a\u007f"', "have no control characters"],
  ...["v", "l", "m", "f", "c", "h"].map(
    (kind) => [`shop:${kind}`, `"shop:${kind}"`, "not end in :v, :l, :m, :f, :c or :h"] as const,
  ),
  [`{${"x".repeat(100)}`, `"{${"x".repeat(59)}…"`, "have no braces"],
]

/** Nothing is asked of it before the options are checked. */
const noClient = Layer.succeed(RedisClient.RedisClient, {} as RedisClient.Client)

const overNothing = <A, E>(layer: Layer.Layer<A, E, RedisClient.RedisClient>) =>
  Effect.scoped(Layer.build(Layer.provide(layer, noClient)))

describe("RedisTier", () => {
  expectTypeOf<Layer.Error<ReturnType<typeof RedisTier.layer>>>().toEqualTypeOf<never>()
  const client = noClient
  const built = (options: object) => overNothing(RedisTier.layer(options))

  for (const [prefix, shown, must] of prefixes) {
    const expected: Case = { module: "RedisTier", field: "prefix", shown, must }
    const selection = { prefix } as RedisTier.Selection
    const effects: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
      layer: built(selection),
      keys: Effect.provide(Stream.runDrain(RedisTier.keys(selection)), client),
      removeAll: Effect.provide(RedisTier.removeAll(selection), client),
    }
    for (const [name, effect] of Object.entries(effects)) {
      it.effect(`${name} dies: ${titleOf(expected)}`, () =>
        Effect.gen(function* () {
          isExpected(yield* defectOf(effect), expected)
        }),
      )
    }
  }

  for (const [limits, field, shown, must] of ofLimits) {
    const expected: Case = { module: "RedisTier", field, shown, must }
    it.effect(`layer dies: ${titleOf(expected)}`, () =>
      Effect.gen(function* () {
        isExpected(yield* defectOf(built(limits)), expected)
      }),
    )
  }

  for (const [name, shown] of [
    ["", '""'],
    [" ", '" "'],
    [5, "5"],
  ] as const) {
    const must = 'be a non-blank string, such as "redis"'
    const expected: Case = { module: "RedisTier", field: "name", shown, must }
    it.effect(`layer dies: ${titleOf(expected)}`, () =>
      Effect.gen(function* () {
        isExpected(yield* defectOf(built({ name })), expected)
      }),
    )
  }
})

// ---- RedisBackplane ---------------------------------------------------------------------------

describe("RedisBackplane", () => {
  expectTypeOf<Layer.Error<ReturnType<typeof RedisBackplane.layer>>>().toEqualTypeOf<never>()
  const beats = 'be a duration from 10 milliseconds to 24 days, such as "10 seconds"'
  const all: ReadonlyArray<
    readonly [options: unknown, field: string, shown: string, must: string]
  > = [
    ...prefixes.map(([prefix, shown, must]) => [{ prefix }, "prefix", shown, must] as const),
    ...(
      [
        [0, "0"],
        [9, "9"],
        [null, "null"],
        ["soon", '"soon"'],
      ] as const
    ).map(([heartbeat, shown]) => [{ heartbeat }, "heartbeat", shown, beats] as const),
    [null, "options", "null", "be an object with prefix and heartbeat"],
    [5, "options", "5", "be an object with prefix and heartbeat"],
  ]
  for (const [options, field, shown, must] of all) {
    const expected: Case = { module: "RedisBackplane", field, shown, must }
    it.effect(`layer dies: ${titleOf(expected)}`, () =>
      Effect.gen(function* () {
        isExpected(yield* defectOf(overNothing(RedisBackplane.layer(options as never))), expected)
      }),
    )
  }
})

// ---- names ------------------------------------------------------------------------------------

describe("an unknown option is refused, with the nearest one as the remedy", () => {
  const nowhere = { host: "127.0.0.1" }
  const all: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
    "RedisBackplane: hartbeat is an unknown option; did you mean `heartbeat`?": overNothing(
      RedisBackplane.layer({ hartbeat: "1 second" } as never),
    ),
    "RedisBackplane: push is an unknown option; the options are prefix and heartbeat": overNothing(
      RedisBackplane.layer({ push: { maxBytes: 10 } } as never),
    ),
    "RedisTier: leasetime is an unknown option; did you mean `leaseTime`?": overNothing(
      RedisTier.layer({ leasetime: "1 second" } as never),
    ),
    "RedisTier: breaker.openfor is an unknown option; did you mean `openFor`?": overNothing(
      RedisTier.layer({ breaker: { openfor: 5 } } as never),
    ),
    "RedisTier: lader is an unknown option; did you mean `larder`?": Stream.runDrain(
      RedisTier.keys({ lader: "products" } as never),
    ).pipe(Effect.provide(noClient)),
    "RedisTier: name is an unknown option; the options are prefix and larder": Effect.provide(
      RedisTier.removeAll({ name: "products" } as never),
      noClient,
    ),
    "RedisClient: comandTimeout is an unknown option; did you mean `commandTimeout`?": built({
      ...nowhere,
      comandTimeout: 5,
    }),
    "RedisClient: reconnect.maximum is an unknown option; the options are base and max": built({
      ...nowhere,
      reconnect: { maximum: 5 },
    }),
    "RedisClient: cluster.node is an unknown option; did you mean `nodes`?": built({
      cluster: { node: [] },
    }),
  }
  for (const [message, effect] of Object.entries(all)) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const error = yield* defectOf(effect)
        assert(error instanceof InvalidOptions)
        assert.strictEqual(error.message, message)
      }),
    )
  }
})

describe("what is no object, and a wire or larder that is none, is refused", () => {
  const tier =
    "be an object with prefix, name, wire, leaseTime, leaseWait, markMaxAge, settleTime, heartbeat, push and breaker"
  const all: ReadonlyArray<
    readonly [Effect.Effect<unknown, unknown>, Case["field"], string, string]
  > = [
    [overNothing(RedisTier.layer(null as never)), "options", "null", tier],
    [
      overNothing(RedisTier.layer({ wire: 5 as never })),
      "wire",
      "5",
      "be a wire, such as Wire.json",
    ],
    [
      overNothing(RedisTier.layer({ push: null as never })),
      "push",
      "null",
      "be an object with maxBytes",
    ],
    [
      Effect.provide(RedisTier.removeAll(null as never), noClient),
      "options",
      "null",
      "be an object with prefix and larder",
    ],
    [
      Effect.provide(RedisTier.removeAll({ larder: 5 as never }), noClient),
      "larder",
      "5",
      "be the name of a larder, or be left out",
    ],
  ]
  for (const [effect, field, shown, must] of all) {
    const expected: Case = { module: "RedisTier", field, shown, must }
    it.effect(titleOf(expected), () =>
      Effect.gen(function* () {
        isExpected(yield* defectOf(effect), expected)
      }),
    )
  }
})
