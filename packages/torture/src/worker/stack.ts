/** The tiers of a worker, from its configuration. */
import { MemoryTier, type Tier, TierStack, Wire } from "@larder/core"
import { msgpack } from "@larder/core/WireMsgpack"
import { RedisClient, RedisTier } from "@larder/redis"
import { SqliteTier } from "@larder/sqlite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Config, Place, WireName } from "./Config.ts"
import { hearing, type Told } from "./hearing.ts"

const host = "127.0.0.1"
/** The encryption key, the same in all processes. */
const secret = Redacted.make(new Uint8Array(32).fill(7))

const wireOf: Readonly<Record<WireName, Wire.Wire>> = {
  json: Wire.json,
  compressed: Wire.compressed(Wire.json),
  encrypted: Wire.encrypted(Wire.json, { keys: { one: secret }, current: "one" }),
  msgpack,
}

const client = (place: Place): RedisClient.Options => {
  const common = {
    commandTimeout: 500,
    connectTimeout: 1_000,
    reconnect: { base: 20, max: 200 },
    heartbeat: "1 second",
  } as const
  if (place._tag === "Single") return { ...common, host, port: place.port }
  const natMap = Object.fromEntries(
    Object.entries(place.through).map(([port, proxy]) => [
      `${host}:${port}`,
      { host, port: proxy },
    ]),
  )
  const at = (ports: ReadonlyArray<number>) => ports.map((port) => ({ host, port }))
  return place._tag === "Cluster"
    ? { ...common, cluster: { nodes: at(place.ports), natMap } }
    : { ...common, sentinels: at(place.sentinels), name: place.name, natMap }
}

export const stackOf = (config: Config, told: Told) => {
  const wire = wireOf[config.wire]
  const redis: Layer.Layer<Tier.Tier, unknown> = RedisTier.layer({
    prefix: config.prefix,
    wire,
  }).pipe(Layer.provide(RedisClient.layer(client(config.place))))
  const shared = hearing(redis, told)
  const memory = MemoryTier.layer({ maxFreshFor: config.maxFreshFor ?? Infinity })
  return config.sqlite === undefined
    ? TierStack.layer(memory, shared)
    : TierStack.layer(memory, SqliteTier.layer({ filename: config.sqlite, wire }), shared)
}

/** A wall clock that is wrong by a constant; it runs at the normal speed. */
export const clockAhead = (millis: number): Clock.Clock => {
  const clock = Clock.Clock.defaultValue()
  const nanos = BigInt(millis) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (time) => time + millis),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + nanos,
    currentTimeNanos: Effect.map(clock.currentTimeNanos, (time) => time + nanos),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration),
  }
}
