/** Larders on several servers. */
import * as RedisServer from "@larder/testing/RedisServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll } from "vitest"
import { slotOf } from "../../src/internal/keySlot.ts"
import type { Client } from "../../src/RedisClient.ts"
import { connect, until } from "./clients.ts"
import { node } from "./nodes.ts"
import { freshName } from "./tiers.ts"

export const range = (count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => i)

export const nodesOf = (servers: ReadonlyArray<RedisServer.RedisServer>) =>
  servers.map(({ host, port }) => ({ host, port }))

/** A client of a Cluster that is told of one node. */
export const connectCluster = (cluster: RedisServer.RedisCluster) =>
  Effect.orDie(
    connect({
      cluster: { nodes: nodesOf(cluster.masters.slice(0, 1)) },
      commandTimeout: "1 second",
    }),
  )

/** One Cluster for the tests of a suite, to be called inside it. */
export const useCluster = (options: RedisServer.ClusterOptions = {}) => {
  const scope = Scope.makeUnsafe()
  let cluster: RedisServer.RedisCluster
  beforeAll(async () => {
    cluster = await Effect.runPromise(Scope.provide(RedisServer.startCluster(options), scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return {
    cluster: Effect.sync(() => cluster),
    client: Effect.suspend(() => connectCluster(cluster)),
  }
}

/** The first keys whose entries are in a slot: the key is the hash tag. */
export const keysIn = (slot: number, count: number): Array<string> => {
  const keys: Array<string> = []
  for (let i = 0; keys.length < count; i++) if (slotOf(`k${i}`) === slot) keys.push(`k${i}`)
  return keys
}

/** A background loop of a test: what fails in it fails `stop`, and `more` waits for two whole rounds. */
export const busy = <R>(round: Effect.Effect<void, never, R>) =>
  Effect.gen(function* () {
    const rounds = { count: 0 }
    const counted = Effect.tap(round, () => Effect.sync(() => (rounds.count += 1)))
    const fiber = yield* Effect.forkScoped(Effect.forever(counted), { startImmediately: true })
    const failed = Effect.suspend(() =>
      fiber.pollUnsafe() === undefined ? Effect.void : Effect.asVoid(Fiber.join(fiber)),
    )
    const more = Effect.suspend(() => {
      const until = rounds.count + 2
      return failed.pipe(
        Effect.andThen(Effect.sleep("5 millis")),
        Effect.repeat({ while: () => rounds.count < until }),
        Effect.timeoutOrElse({
          duration: "40 seconds",
          orElse: () => Effect.die(new Error(`stuck in round ${rounds.count}`)),
        }),
        Effect.asVoid,
      )
    })
    return { more, stop: Effect.andThen(failed, Fiber.interrupt(fiber)), rounds }
  })

/** The values of upstream: a number for each key, which only rises. */
export const numbers = (keys: ReadonlyArray<string>) => {
  const now = new Map(keys.map((key) => [key, 0]))
  return {
    lookup: (key: string) => Effect.sync(() => String(now.get(key) ?? 0)),
    of: (key: string) => now.get(key) ?? 0,
    raise: (key: string) =>
      Effect.sync(() => {
        const next = (now.get(key) ?? 0) + 1
        now.set(key, next)
        return next
      }),
  }
}

/** The bound of a read that memory answers, whatever Redis does, on a busy machine. */
const atOnce = 1_000
/** Law 9, with the policy of {@link node}: what tiers may cost, the wait for a lease, and a busy machine. */
const patience = 2_000 + 10_000 + 1_000

/**
 * Two nodes in use: one with memory, which makes the changes, and one without,
 * which sees what the servers have. Some keys have been set, some removed before;
 * others are set all the time. No answer is ever older than what its node has to
 * know, and none takes longer than tiers may cost. A removal that a master
 * acknowledged and took with it is nothing that a node has to know.
 */
export const inUse = <R>(
  client: Effect.Effect<Client, never, R>,
  inStep: Effect.Effect<void>,
): Effect.Effect<InUse, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const quiet = range(20).map((i) => `quiet ${i}`)
    const lively = range(10).map((i) => `lively ${i}`)
    const source = numbers([...quiet, ...lively])
    const options = { name: freshName(), lookup: source.lookup }
    const a = yield* node(yield* client, options)
    const b = yield* node(yield* client, { ...options, memory: false })
    const done = new Map<string, number>()
    const set = (key: string) =>
      Effect.gen(function* () {
        const number = yield* source.raise(key)
        const ack = yield* a.set(key, String(number))
        done.set(key, number)
        return ack
      })
    for (const [i, key] of quiet.entries()) {
      for (const _ of range(2)) assert.isTrue((yield* set(key)).settled)
      if (i % 2 === 0) continue
      done.set(key, yield* source.raise(key))
      assert.isTrue((yield* a.remove(key)).settled)
    }
    yield* inStep
    const answered = (larder: typeof a, key: string) =>
      Effect.gen(function* () {
        const least = done.get(key) ?? 0
        const [took, { tier, value }] = yield* Effect.timed(larder.getWithMeta(key))
        assert.isBelow(Duration.toMillis(took), tier === "memory" ? atOnce : patience, key)
        return { least, number: Number(value) }
      })
    const current = (larder: typeof a, key: string) =>
      Effect.map(answered(larder, key), ({ least, number }) => assert.isAtLeast(number, least, key))
    const loops = [
      yield* busy(
        Effect.forEach(lively, set, { concurrency: 5, discard: true }).pipe(
          Effect.andThen(Effect.sleep("10 millis")),
          Effect.orDie,
        ),
      ),
      yield* busy(
        Effect.forEach([...quiet, ...lively], (key) => current(a, key), { concurrency: 10 }).pipe(
          Effect.andThen(Effect.sleep("5 millis")),
          Effect.orDie,
        ),
      ),
      yield* busy(
        Effect.forEach(quiet, (key) => current(b, key), { concurrency: 10 }).pipe(
          Effect.andThen(Effect.forEach(lively, (key) => answered(b, key), { concurrency: 10 })),
          Effect.andThen(Effect.sleep("5 millis")),
          Effect.orDie,
        ),
      ),
    ]
    const healed = (key: string) =>
      Effect.gen(function* () {
        const last = String(yield* source.raise(key))
        yield* until(a.set(key, last), ({ settled }) => settled)
        yield* until(b.get(key), (value) => value === last)
        yield* until(a.remove(key), ({ settled }) => settled)
        yield* source.raise(key)
        yield* until(b.get(key), (value) => value === String(source.of(key)))
      }).pipe(Effect.orDie)
    return {
      more: Effect.forEach(loops, ({ more }) => more, { concurrency: "unbounded", discard: true }),
      end: Effect.gen(function* () {
        for (const { stop } of loops) yield* stop
        yield* Effect.forEach([...quiet, ...lively], healed, { concurrency: 10, discard: true })
      }),
    }
  }).pipe(Effect.orDie)

export interface InUse {
  /** Two more rounds of everything. */
  readonly more: Effect.Effect<void>
  /** Quiet again: every change settles, and both nodes see it. */
  readonly end: Effect.Effect<void>
}
