/** A master that hands over to its replica, or dies, while larders are in use. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { freshName } from "./support/tiers.ts"
import { inUse, nodesOf } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const clientOf = (pair: RedisServer.RedisReplicated) =>
  Effect.orDie(connect({ sentinels: nodesOf(pair.sentinels), name: pair.name }))

/** The replica has what the master had when it was asked. */
const inStep = (pair: RedisServer.RedisReplicated) =>
  Effect.gen(function* () {
    const { info } = yield* pair.master
    const offset = Number((yield* info("replication")).get("master_repl_offset"))
    const replica = yield* pair.replica
    yield* until(
      Effect.map(replica.info("replication"), (fields) => Number(fields.get("slave_repl_offset"))),
      (seen) => seen >= offset,
    )
  }).pipe(Effect.orDie)

/** The replica gets nothing any more, and both go on. */
const separate = (master: RedisServer.RedisServer, replica: RedisServer.RedisServer) =>
  Effect.gen(function* () {
    yield* replica.cli("CONFIG", "SET", "masteruser", "nobody")
    yield* replica.cli("CONFIG", "SET", "masterauth", "wrong")
    yield* master.cli("CLIENT", "KILL", "TYPE", "replica")
    yield* until(
      replica.info("replication"),
      (fields) => fields.get("master_link_status") === "down",
    )
  })

/** Each has servers of its own, and mostly waits for them. */
const together = { timeout: 60_000, concurrent: true }

type Pair = RedisServer.RedisReplicated

/** How a master may cease to be one. */
const ways: ReadonlyArray<
  readonly [string, (pair: Pair) => Effect.Effect<void, Effect.Error<Pair["failover"]>>]
> = [
  ["hands over", ({ failover }) => Effect.asVoid(failover)],
  ["dies", ({ master }) => Effect.flatMap(master, ({ kill }) => kill())],
]

redisSuite("RedisTier behind Sentinel", () => {
  for (const [what, change] of ways) {
    it.live(
      `laws 12 and 14: the master ${what}, reads are answered, and nothing comes back`,
      () =>
        Effect.gen(function* () {
          const pair = yield* RedisServer.startReplicated()
          const client = clientOf(pair)
          const use = yield* inUse(client, inStep(pair))
          const before = yield* pair.master
          yield* use.more
          yield* change(pair)
          yield* use.more
          yield* until(pair.master, (now) => now !== before)
          yield* use.more
          yield* use.end
        }),
      together,
    )
  }

  it.live(
    "law 12: a mark that the new master never got still holds on its node, and then on all nodes",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated()
        const source = counting((key, count) => Effect.succeed(`${key}, ${count}`))
        const options = {
          name: freshName(),
          lookup: source.lookup,
          memory: false,
          tags: (_: string, key: string) => [key.slice(0, 1)],
        }
        const a = yield* node(yield* clientOf(pair), options)
        for (const key of ["a1", "a2", "b1", "b2"]) {
          assert.strictEqual(yield* a.get(key), `${key}, 1`)
        }
        assert.isTrue((yield* a.invalidateTags(["z"])).settled)
        assert.isTrue((yield* a.set("a3", "set")).settled)
        const b = yield* node(yield* clientOf(pair), {
          name: freshName(),
          lookup: source.lookup,
        })
        assert.strictEqual(yield* b.get("expired"), "expired, 1")
        assert.isTrue((yield* b.set("set", "older")).settled)
        yield* inStep(pair)
        const [before, replica] = [yield* pair.master, yield* pair.replica]
        yield* separate(before, replica)
        assert.isTrue((yield* a.invalidateTags(["a"])).settled)
        assert.isTrue((yield* b.expire("expired")).settled)
        assert.isTrue((yield* b.set("set", "newer")).settled)
        yield* before.kill()
        yield* until(pair.master, (now) => now === replica)
        yield* until(a.set("first", "v"), ({ settled }) => settled)
        assert.strictEqual(yield* a.get("a1"), "a1, 2")
        assert.strictEqual(yield* a.get("a3"), "a3, 1")
        // With its next question about marks, Redis knows as well that some are lost. Sentinel tells
        // the client of the new master once it is in use, which cuts the connection once more.
        yield* until(a.invalidateTags(["y"]), ({ settled }) => settled)
        // What is set before Redis knows that counts as looked up before the lost marks.
        yield* until(a.set("c", "v"), ({ settled }) => settled)
        const newcomer = yield* node(yield* clientOf(pair), options)
        assert.strictEqual(yield* newcomer.get("a2"), "a2, 2")
        assert.strictEqual(yield* newcomer.get("b1"), "b1, 2")
        assert.strictEqual(yield* newcomer.get("c"), "v")
        // The failover is a gap: what memory has is not trusted, and what is older is not taken.
        assert.strictEqual(yield* b.get("set"), "set, 1")
        assert.strictEqual(yield* b.get("expired"), "expired, 2")
      }),
    together,
  )

  it.live(
    "laws 12, 14 and 15: a master that has become a replica refuses changes until it is one again",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated({ sentinels: 0 })
        const [server, other] = pair.nodes
        const use = yield* inUse(Effect.orDie(connect({ url: server.url })), inStep(pair))
        yield* use.more
        yield* other.cli("REPLICAOF", "NO", "ONE")
        yield* server.cli("REPLICAOF", other.host, String(other.port))
        yield* use.more
        yield* until(server.info("replication"), (info) => info.get("master_link_status") === "up")
        yield* use.more
        yield* server.cli("REPLICAOF", "NO", "ONE")
        yield* use.more
        yield* use.end
      }),
    together,
  )
})
