/** Leases alone over a client: an arbiter without a tier around it. */
import { Lease, ProcessLife, Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { Client } from "../../RedisClient.ts"
import { keysOf } from "../keys.ts"
import { Listening } from "../marks/listening.ts"
import { defaultBounds, Marks } from "../marks/marks.ts"
import { Asking } from "../scripts/asking.ts"
import { Clocks } from "../scripts/clocks.ts"
import { Store } from "./store.ts"

const name = "redis"

const limits = Result.getOrThrow(Tier.checkLimits("RedisLease", {}))

const make = (redis: Client, prefix: string): Effect.Effect<Lease.Lessor, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clocks = new Clocks(redis)
    yield* redis.whenConnected(() => clocks.forget())
    const listening = yield* Listening.make({ redis, prefix, interval: limits.heartbeat })
    const asking = new Asking(name, redis, clocks)
    const keys = keysOf(prefix, Lease.namespace)
    const store = new Store(asking, keys, new Marks(asking, keys, defaultBounds), limits, undefined)
    const arbiter = store.arbiter((receive) => listening.listen(asking, keys, receive))
    return { arbiter, name }
  })

/**
 * One for each client and prefix: all who wait for a lease share one connection, which is open only
 * while there are any. What it was made of lives as long as the client.
 */
const known = new WeakMap<Client, Map<string, Lease.Lessor>>()

export const lessorOf = (redis: Client, prefix: string): Lease.Lessor => {
  const ofClient = known.get(redis) ?? new Map<string, Lease.Lessor>()
  known.set(redis, ofClient)
  const there = ofClient.get(prefix)
  if (there !== undefined) return there
  // In a context of its own: the first caller's would live as long.
  const made = Effect.runSync(
    ProcessLife.inBackground(Scope.provide(make(redis, prefix), Scope.makeUnsafe())),
  )
  ofClient.set(prefix, made)
  return made
}
