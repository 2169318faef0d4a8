/** The errors of larders in the spans and the logs of their callers, as Effect's exporters send them: no key. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Coalesce, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Layer, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpExporter } from "effect/observability"

const mark = "SECRET"

/** All that an OpenTelemetry receiver was sent, by path. */
const receiver = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly bodies: Array<string>; end: () => void }>(
    (resume) => {
      const bodies: Array<string> = []
      const server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          bodies.push(`${request.url} ${Buffer.concat(parts).toString()}`)
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const end = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, bodies, end }))
      })
    },
  ),
  ({ end }) => Effect.sync(end),
)

const make = Larder.make({
  name: "people",
  upstream: Upstream.make({
    lookup: (key: string): Effect.Effect<string> =>
      key.includes("self") ? Effect.interrupt : Effect.never,
    lookupMany: () => Effect.succeed(new Map<string, string>()),
  }),
  policy: Policy.make({ freshFor: "1 minute", hardTimeout: 20 }),
})

/** Each error of a larder itself, in a span of its caller and in a line with the cause. */
const failing: ReadonlyArray<
  readonly [kind: string, call: Effect.Effect<unknown, unknown, TierStack.TierStack | Scope.Scope>]
> = [
  ["LookupTimeout", Effect.flatMap(make, (larder) => larder.get(`${mark}-1`))],
  ["LookupInterrupted", Effect.flatMap(make, (larder) => larder.get(`${mark}-self`))],
  ["InvalidKey", Effect.flatMap(make, (larder) => larder.get(`${mark}\n`))],
  ["InvalidKey", Effect.flatMap(make, (larder) => larder.set(mark.repeat(999), ""))],
  [
    "KeyNotReturned",
    Effect.gen(function* () {
      const exits = yield* (yield* make).getMany([`${mark}-2`, `${mark}-3`])
      return yield* exits.get(`${mark}-2`)!
    }),
  ],
  [
    "LarderClosed",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(make, scope)
      yield* Scope.close(scope, Exit.void)
      return yield* larder.get(`${mark}-4`)
    }),
  ],
  ["RunInterrupted", Coalesce.make<string, never>()(`${mark}-5`, Effect.interrupt)],
]

describe("what callers export of", () => {
  for (const [kind, call] of failing) {
    it.live(`${kind} tells what failed, and not for which key`, () =>
      Effect.gen(function* () {
        const { bodies, url } = yield* receiver
        const otlp = Otlp.layerJson({
          baseUrl: url,
          resource: { serviceName: "test" },
          loggerMergeWithExisting: false,
        }).pipe(Layer.provide(FetchHttpClient.layer))
        yield* Effect.gen(function* () {
          const handled = call.pipe(
            Effect.tapCause((cause) => Effect.logError("the call failed", cause)),
            Effect.withSpan("handler"),
          )
          const exit = yield* Effect.exit(handled)
          assert.isTrue(Exit.isFailure(exit))
          if (Exit.isFailure(exit)) {
            assert.notInclude(Cause.pretty(exit.cause), mark)
          }
          const { flush } = yield* OtlpExporter.Flusher
          yield* flush
        }).pipe(Effect.scoped, Effect.provide([TierStack.layer(MemoryTier.layer()), otlp]))
        const sent = bodies.join("\n")
        assert.include(sent, kind)
        assert.include(sent, "exception.message")
        assert.notInclude(sent, mark)
      }).pipe(Effect.scoped),
    )
  }
})
