import type { Larder } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { connect } from "./clients.ts"
import { node, type NodeOptions } from "./nodes.ts"
import { freshName, openOn } from "./tiers.ts"

/** Timeouts for a tier that works: long enough on a busy machine. */
export const tierTimes = { tierTimeout: 250, tierBudget: 500 }

/** A server of the test's own, and nodes on clients of their own. */
export const begin = (common: Omit<NodeOptions, "name" | "lookup"> = {}) =>
  Effect.gen(function* () {
    const server = yield* RedisServer.start()
    const name = freshName()
    const client = connect({ url: server.url })
    const join = (
      options: Partial<NodeOptions> & Pick<NodeOptions, "lookup">,
      own: typeof client = client,
    ) => Effect.flatMap(own, (redis) => node(redis, { name, ...common, ...options }))
    const raw = Effect.flatMap(client, (redis) => openOn(redis, { larder: name }))
    return { server, name, client, join, raw }
  })

/** The value, and how long it took. */
export const millisOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, value]) => ({
    millis: Duration.toMillis(duration),
    value,
  }))

export const breakerOf = (larder: Larder.Larder<string, string, string>) =>
  Effect.map(larder.stats, ({ breakers }) => breakers["redis"])
