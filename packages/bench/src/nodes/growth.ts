/** `pnpm growth`: what more nodes cost. */
import * as Effect from "effect/Effect"
import { parse, run, UsageError, wholeNumber } from "../command.ts"
import { hasRedis, withServer } from "../redis.ts"
import { type Growth, growthText, type Pushed, pushedText } from "./growthText.ts"
import { lookupsPerKey } from "./lookups.ts"
import { idleCommands, readCost, writeCost } from "./traffic.ts"

/** More nodes than this would need more connections than a process may have. */
const mostWithRedis = 100

const usage = `Usage: pnpm growth [--nodes N,...] [--seconds S]
       pnpm growth --push [--nodes N,...]

Measures for each number of nodes: lookups per key and period of freshness, when all nodes ask for all keys at the
same moment (in virtual time, over MemoryTier.layerShared); messages and bytes of a write, and the commands a second
of an idle node (over a real Redis, up to ${mostWithRedis} nodes; without a server these are left out).
With --push: what a change and the reads after it cost, with values of 100 and 1,000 bytes that travel with the message
and without (over a real Redis).

Options:
  --push         measures push (default numbers of nodes 4,100)
  --nodes N,...  numbers of nodes, 1 to 10000 (default 1,10,100,1000)
  --seconds S    how long idle nodes are watched (default 10)
  --help         shows this`

const measure = async (nodes: number, seconds: number, redis: boolean): Promise<Growth> => {
  const lookups = await lookupsPerKey({ nodes, keys: 5, periods: 3 })
  if (!redis || nodes > mostWithRedis) return { nodes, lookups }
  return withServer((server) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const write = yield* writeCost(server, nodes, 1_000)
        const idle = yield* idleCommands(server, { nodes, larders: 1, seconds })
        const idleOfFive = yield* idleCommands(server, { nodes, larders: 5, seconds })
        return { nodes, lookups, write, idle, idleOfFive }
      }),
    ),
  )
}

/** All other nodes read the key after a change, a tenth of them, and none. */
const readersOf = (nodes: number): ReadonlyArray<number> => [
  ...new Set([nodes - 1, Math.floor(nodes / 10), 0]),
]

const measurePush = async (nodes: number): Promise<ReadonlyArray<Pushed>> => {
  const rows: Array<Pushed> = []
  for (const size of [100, 1_000]) {
    for (const readers of readersOf(nodes)) {
      const costs = (isPushed: boolean) =>
        withServer((server) =>
          Effect.runPromise(readCost(server, { nodes, readers, size, isPushed })),
        )
      const plain = await costs(false)
      rows.push({ nodes, readers, size, plain, pushed: await costs(true) })
    }
  }
  return rows
}

/** Measures each number of nodes, and says on stderr how far it is. */
const each = async <A>(
  counts: ReadonlyArray<number>,
  measureOne: (nodes: number) => Promise<A>,
): Promise<ReadonlyArray<A>> => {
  const rows: Array<A> = []
  for (const nodes of counts) {
    process.stderr.write(`${nodes} node${nodes === 1 ? "" : "s"}\n`)
    rows.push(await measureOne(nodes))
  }
  return rows
}

await run(usage, async (args) => {
  const { positionals, values } = parse(args, {
    nodes: { type: "string" },
    push: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
  })
  if (positionals.length > 0) throw new UsageError(`there is no option ${positionals[0]}`)
  const seconds = wholeNumber("--seconds", values.seconds, 3_600)
  const nodes = values.nodes ?? (values.push ? "4,100" : "1,10,100,1000")
  const counts = nodes.split(",").map((text) => wholeNumber("--nodes", text, 10_000))
  const redis = await hasRedis()
  if (values.push) {
    if (!redis) throw new UsageError("--push needs a redis-server on PATH")
    const tooMany = counts.find((count) => count > mostWithRedis)
    if (tooMany !== undefined) {
      throw new UsageError(`--nodes ${tooMany}: with --push at most ${mostWithRedis} nodes`)
    }
    console.log(pushedText((await each(counts, measurePush)).flat()))
    return
  }
  if (!redis) console.error("no redis-server: what depends on one is left out")
  console.log(growthText(await each(counts, (count) => measure(count, seconds, redis))))
})
