/**
 * One set of expectations for every stack: environments differ in speed and reach, not in meaning.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as RedisServer from "@larder/testing/RedisServer"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Random, type Scope } from "effect"
import { inEuros, Rates, RatesClosed, RateSource } from "../src/rates.ts"
import { environments, layer as stackLayer } from "../src/stack.ts"

type Environment = (typeof environments)[number]

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

/** An exchange that the test controls: each answer is a new rate, unless it is closed. */
const makeSource = () => {
  const source = { asked: 0, closed: false }
  const layer = Layer.succeed(RateSource, {
    rate: (currency) =>
      Effect.suspend(() => {
        source.asked += 1
        return source.closed
          ? Effect.fail(new RatesClosed({ currency }))
          : Effect.succeed(source.asked)
      }),
  })
  return { source, layer }
}

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "environments-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true })),
)

/** The settings of each environment. */
const settings = (
  environment: Environment,
): Effect.Effect<Record<string, string>, unknown, Scope.Scope> => {
  const common = { LARDER_STACK: environment }
  if (environment === "box") {
    return Effect.map(folder, (path) => ({ ...common, LARDER_FILE: join(path, "rates.db") }))
  }
  return environment === "production"
    ? Effect.map(RedisServer.start(), ({ url }) => ({ ...common, REDIS_URL: url }))
    : Effect.succeed(common)
}

type Source = ReturnType<typeof makeSource>["source"]

const expectation = (
  environment: Environment,
  title: string,
  body: (source: Source) => Effect.Effect<void, unknown, Rates>,
) =>
  // Real time, for a real server. Nothing here waits for time to pass.
  it.live(title, () =>
    Effect.gen(function* () {
      const { layer, source } = makeSource()
      const config = ConfigProvider.layer(ConfigProvider.fromUnknown(yield* settings(environment)))
      const app = Rates.layer.pipe(
        Layer.provide(Layer.fresh(stackLayer)),
        Layer.provide(layer),
        Layer.provide(config),
      )
      yield* Effect.provide(body(source), app)
    }).pipe(Effect.scoped, Random.withSeed(7)),
  )

for (const environment of environments) {
  describe.skipIf(environment === "production" && !hasRedis)(environment, () => {
    expectation(environment, "a rate is asked for once, however many want it", (source) =>
      Effect.gen(function* () {
        const sums = yield* Effect.all(
          Array.from({ length: 100 }, () => inEuros(10, "USD")),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(new Set(sums), new Set([10]))
        assert.strictEqual(yield* inEuros(3, "USD"), 3)
        assert.strictEqual(source.asked, 1)
      }),
    )

    expectation(environment, "a rate that was corrected by hand is what everybody gets", (source) =>
      Effect.gen(function* () {
        yield* Rates.set("USD", 5)
        assert.strictEqual(yield* inEuros(2, "USD"), 10)
        assert.strictEqual(source.asked, 0)
      }),
    )

    expectation(environment, "new rates are asked for after all were called invalid", (source) =>
      Effect.gen(function* () {
        yield* Rates.get("USD")
        yield* Rates.invalidateTags(["rates"])
        assert.strictEqual(yield* Rates.get("USD"), 2)
        assert.strictEqual(source.asked, 2)
      }),
    )

    expectation(
      environment,
      "while the exchange is closed, the last rate is better than none",
      (source) =>
        Effect.gen(function* () {
          yield* Rates.get("USD")
          yield* Rates.expire("USD")
          source.closed = true
          const { freshness, value } = yield* Rates.getWithMeta("USD")
          assert.deepStrictEqual([value, freshness], [1, { _tag: "Stale", grace: "error" }])
          yield* Rates.remove("USD")
          assert.deepStrictEqual(
            yield* Effect.exit(Rates.get("USD")),
            Exit.fail(new RatesClosed({ currency: "USD" })),
          )
        }),
    )
  })
}

it.live("an environment nobody knows is refused, with those that there are", () =>
  Effect.gen(function* () {
    const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ LARDER_STACK: "moon" }))
    const built = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(stackLayer, config))))
    assert.match(String(built), /Expected "development".*LARDER_STACK/s)
  }),
)
