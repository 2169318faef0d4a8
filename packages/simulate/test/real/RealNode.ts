/** A node of a plan with a real file and a real Redis server, in this process and in real time. */
import { Tier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { SqliteTier } from "@larder/sqlite"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { limitsOf } from "../../src/cluster/Cluster.ts"
import { over } from "../../src/cluster/way.ts"
import type { Life } from "../../src/history/History.ts"
import type { Recorder } from "../../src/history/Recorder.ts"
import type { Config, Release } from "../../src/plan/Plan.ts"
import type { Caller } from "../../src/run/calls.ts"
import { makeLarder, memoryOf, type SimulatedLarder } from "../../src/run/larder.ts"
import type { Source } from "../../src/run/source.ts"
import { CountedRoad } from "./CountedRoad.ts"
import type { SkewedClock } from "./SkewedClock.ts"

/** ms. A machine that stands still for a while is no outage: no time of the tiers is as short as that. */
const patient = { tierTimeout: 30_000, tierBudget: 60_000 }
const heartbeat = 60_000

/** The key of a lease that nobody waits for: a message of it tells that all messages before it have come. */
const probe = "probe "

/** The message of a lease that was returned, as a script of the tier publishes it. */
export const probeText = (number: number): string => `1l${probe}${number}`

export interface NodeOptions {
  readonly index: number
  readonly release: Release
  readonly config: Config
  readonly recorder: Recorder
  readonly source: Source
  readonly clock: SkewedClock
  readonly url: string
  readonly filename: string
}

const wrapped = <R>(
  layer: Layer.Layer<Tier.Tier, never, R>,
  road: CountedRoad,
): Layer.Layer<Tier.Tier, never, R> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Layer.build(layer), (context) => {
      const tier = Context.get(context, Tier.Tier)
      return tier.kind === "bytes" ? over(tier, road) : tier
    }),
  )

export class RealNode implements Caller {
  readonly index: number
  readonly life: Life
  larder: SimulatedLarder | undefined
  /** The number of the last probe that arrived. */
  probed = 0
  readonly road: CountedRoad
  #redis: RedisClient.Client | undefined
  readonly #options: NodeOptions
  readonly #scope = Scope.makeUnsafe()
  readonly #context: Context.Context<never>

  constructor(options: NodeOptions) {
    const { index, recorder, release } = options
    this.index = index
    this.#options = options
    this.life = recorder.life(index, release)
    this.#context = Context.make(Clock.Clock, options.clock).pipe(
      Context.add(References.MinimumLogLevel, "None"),
    ) as Context.Context<never>
    this.road = new CountedRoad(() => recorder.requestAnswered(this.life), this.#arrived)
  }

  readonly #arrived = (message: Tier.Message): void => {
    if (message._tag === "Released" && message.key.startsWith(probe)) {
      this.probed = Math.max(this.probed, Number(message.key.slice(probe.length)))
    } else {
      this.road.events += 1
      this.#options.recorder.heard(this.life, message)
    }
  }

  run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.#context)(effect)
  }

  readonly open = Effect.suspend(() => {
    const { config, filename, recorder, source, url } = this.#options
    const limits = { ...limitsOf(config), heartbeat }
    const client = RedisClient.layer({
      url,
      commandTimeout: patient.tierTimeout,
      reconnect: { base: "20 millis", max: "50 millis" },
    })
    const shared = wrapped(RedisTier.layer({ ...limits, name: "shared" }), this.road)
    const file = wrapped(SqliteTier.layer({ filename, name: "file" }), this.road)
    const memory = memoryOf(config)
    const stack = Layer.provideMerge(
      config.file ? TierStack.layer(memory, file, shared) : TierStack.layer(memory, shared),
      client,
    )
    const parts = { config, recorder, source, life: this.life, policy: patient }
    return Effect.gen({ self: this }, function* () {
      const context = yield* Layer.buildWithScope(stack, this.#scope)
      this.#redis = Context.get(context, RedisClient.RedisClient)
      this.larder = yield* Effect.provide(Scope.provide(makeLarder(parts), this.#scope), context)
      this.life.opened = recorder.moment()
    }).pipe(Effect.provide(this.#context))
  })

  /** Waits until requests reach the server again. */
  readonly connected = Effect.suspend(() =>
    Effect.eventually(this.#redis!.use((client) => client.ping())),
  )

  readonly close = Effect.suspend(() => {
    const { recorder } = this.#options
    this.life.closing = recorder.moment()
    return Effect.tap(Scope.close(this.#scope, Exit.void), () =>
      Effect.sync(() => {
        this.life.closed = recorder.moment()
      }),
    )
  })
}
