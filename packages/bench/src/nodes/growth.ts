/** `pnpm growth`: what more nodes cost. */
import * as Effect from "effect/Effect"
import { parse, run, UsageError, wholeNumber } from "../command.ts"
import { hasRedis, withServer } from "../redis.ts"
import { type Growth, growthText } from "./growthText.ts"
import { lookupsPerKey } from "./lookups.ts"
import { idleCommands, writeCost } from "./traffic.ts"

/** More nodes than this would need more connections than a process may have. */
const mostWithRedis = 100

const usage = `Usage: pnpm growth [--nodes N,...] [--seconds S]

Measures for each number of nodes: lookups per key and period of freshness, when all nodes ask for all keys at the
same moment (in virtual time, over MemoryTier.layerShared); messages and bytes of a write, and the commands a second
of an idle node (over a real Redis, up to ${mostWithRedis} nodes; without a server these are left out).

Options:
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

await run(usage, async (args) => {
  const { positionals, values } = parse(args, {
    nodes: { type: "string", default: "1,10,100,1000" },
    seconds: { type: "string", default: "10" },
  })
  if (positionals.length > 0) throw new UsageError(`there is no option ${positionals[0]}`)
  const seconds = wholeNumber("--seconds", values.seconds, 3_600)
  const counts = values.nodes.split(",").map((text) => wholeNumber("--nodes", text, 10_000))
  const redis = await hasRedis()
  if (!redis) console.error("no redis-server: what depends on one is left out")
  const rows: Array<Growth> = []
  for (const nodes of counts) {
    process.stderr.write(`${nodes} node${nodes === 1 ? "" : "s"}\n`)
    rows.push(await measure(nodes, seconds, redis))
  }
  console.log(growthText(rows))
})
