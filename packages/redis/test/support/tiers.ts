import { Envelope, Tier } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll } from "vitest"
import * as RedisClient from "../../src/RedisClient.ts"
import * as RedisTier from "../../src/RedisTier.ts"
import { connect } from "./clients.ts"

export const life = 100_000
export const leaseMillis = 10_000

/** An envelope of a text, whose times are from now on. */
export const envelope = (
  text: string,
  { freshFor = 10_000, staleFor = life }: { freshFor?: number; staleFor?: number } = {},
): Effect.Effect<Uint8Array> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    Envelope.make({
      version: 0,
      freshUntil: now + freshFor,
      revalidateUntil: now + freshFor,
      staleUntil: now + staleFor,
      storedAt: now,
      schemaVersion: 0,
      loadMillis: 1,
      asOf: 0,
      tags: [],
      wire: "json",
      value: new TextEncoder().encode(JSON.stringify(text)),
    }),
  )

export const textOf = (bytes: Uint8Array | undefined): string | undefined => {
  if (bytes === undefined) return undefined
  const parsed = Envelope.parse(bytes)
  if (parsed._tag === "Tombstone") return "tombstone"
  return parsed._tag === "Value"
    ? JSON.parse(new TextDecoder().decode(parsed.value))
    : parsed.reason
}

/** A tier on a client. */
export const tierOn = (redis: RedisClient.Client, options: RedisTier.Options = {}) =>
  Layer.build(
    RedisTier.layer(options).pipe(
      Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
      Layer.provide(Logger.layer([])),
    ),
  ).pipe(
    Effect.map((context) => {
      const tier = Context.get(context, Tier.Tier)
      if (tier.kind !== "bytes") throw new Error("a byte tier")
      return tier
    }),
    Effect.orDie,
  )

/** A larder's store in a tier, and short ways to use it. */
export const opened = (store: Tier.ByteStore) => {
  const arbiter = store.arbiter!
  const first = (key: string) => Effect.map(store.read([key]), ([bytes]) => bytes)
  const win = (key: string, options: { known?: number; lease?: number; force?: boolean } = {}) => {
    const { force = false, known = 0, lease = leaseMillis } = options
    return Effect.map(arbiter.acquire(key, { known, leaseMillis: lease, force }), (acquired) => {
      assert(acquired._tag === "Won", `${key}: ${acquired._tag}`)
      return acquired.token
    })
  }
  return {
    store,
    arbiter,
    win,
    text: (key: string) => Effect.map(first(key), textOf),
    version: (key: string) => Effect.map(first(key), (bytes) => bytes && Envelope.version(bytes)),
    set: (key: string, text: string, lifeMillis = life) =>
      Effect.flatMap(envelope(text), (bytes) =>
        Effect.map(
          arbiter.write(key, { _tag: "Set", envelope: bytes, lifeMillis }, 0),
          ({ version }) => version,
        ),
      ),
    put: (key: string, text: string, version: number, lifeMillis = life) =>
      Effect.flatMap(envelope(text), (bytes) =>
        store.put(key, Envelope.withVersion(bytes, version), lifeMillis),
      ),
    commit: (key: string, token: number, text: string, lifeMillis = life) =>
      Effect.flatMap(envelope(text), (bytes) => arbiter.commit(key, token, bytes, lifeMillis)),
    acquire: (key: string, options: { known?: number; force?: boolean } = {}) =>
      arbiter.acquire(key, {
        known: options.known ?? 0,
        leaseMillis,
        force: options.force ?? false,
      }),
  }
}

export type Opened = ReturnType<typeof opened>

let larders = 0

/** The name of a larder that no other test has. */
export const freshName = (): string => `larder ${++larders}: {1}%`

/** A new larder's store. */
export const openOn = (
  redis: RedisClient.Client,
  options: RedisTier.Options & { readonly larder?: string } = {},
) =>
  Effect.gen(function* () {
    const { larder = freshName(), ...rest } = options
    const tier = yield* tierOn(redis, rest)
    return opened(yield* tier.open({ larder }))
  })

/** One server for the tests of a suite, to be called inside it. */
export const useServer = (options: RedisServer.Options = {}) => {
  const scope = Scope.makeUnsafe()
  let server: RedisServer.RedisServer
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(RedisServer.start(options), scope))
  }, 30_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return {
    server: Effect.sync(() => server),
    client: Effect.suspend(() => connect({ url: server.url, commandTimeout: "5 seconds" })),
  }
}
