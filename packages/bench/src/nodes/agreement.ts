/** `pnpm agreement`: how soon nodes in processes of their own agree, over one Redis. */
import { parse, run, UsageError, wholeNumber } from "../command.ts"
import { hasRedis, withServer } from "../redis.ts"
import { quantile } from "../statistics.ts"
import * as Link from "./link.ts"
import { callersPerNode, changes, partition, storms } from "./measures.ts"
import { withNodes } from "./processes.ts"
import type { Config } from "./protocol.ts"

const usage = `Usage: pnpm agreement [--nodes N] [--changes N] [--storms N] [--partition S]

Measures with nodes in processes of their own over one Redis:
  change     the time from a settled change to the first read of the last node that gives the new value
  stampede   lookups of a cold key that 250 callers in each node ask for at once
  partition  the time from the end of a silent network until the node that was cut off has the changes made meanwhile

Options:
  --nodes N      2 to 16 (default 4)
  --changes N    changes to measure (default 500)
  --storms N     cold keys to measure (default 20)
  --partition S  how long the network is silent, in seconds (default 5)
  --help         shows this`

const percent = (samples: ReadonlyArray<number>, share: number): string =>
  quantile(
    samples.toSorted((a, b) => a - b),
    share,
  ).toFixed(1)

await run(usage, async (args) => {
  const { positionals, values } = parse(args, {
    nodes: { type: "string", default: "4" },
    changes: { type: "string", default: "500" },
    storms: { type: "string", default: "20" },
    partition: { type: "string", default: "5" },
  })
  if (positionals.length > 0) throw new UsageError(`there is no option ${positionals[0]}`)
  const count = wholeNumber("--nodes", values.nodes, 16)
  if (count < 2) throw new UsageError("--nodes 1: give at least 2")
  const changeCount = wholeNumber("--changes", values.changes, 1_000_000)
  const stormCount = wholeNumber("--storms", values.storms, 10_000)
  const seconds = wholeNumber("--partition", values.partition, 60)
  if (!(await hasRedis())) throw new UsageError("this needs redis-server or valkey-server")
  await withServer(async ({ port, url }) => {
    const link = await Link.start(port)
    const config: Config = { url, prefix: "agreement", lookupMillis: 100 }
    const linked = { ...config, url: `redis://127.0.0.1:${link.port}` }
    const configs = Array.from({ length: count }, (_, i) => (i === 0 ? linked : config))
    await withNodes(configs, async (nodes) => {
      const samples = await changes(nodes, changeCount)
      console.log(
        `change: last of ${count} nodes after p50 ${percent(samples, 0.5)} ms, p99 ${percent(samples, 0.99)} ms, most ${percent(samples, 1)} ms (${changeCount} changes)`,
      )
      const seen = await storms(nodes, stormCount)
      const lookups = seen.reduce((sum, one) => sum + one.lookups, 0) / seen.length
      const most = Math.max(...seen.map((one) => one.lookups))
      const answers = Math.max(...seen.map((one) => one.answers))
      console.log(
        `stampede: ${count} x ${callersPerNode} callers of a cold key: ${lookups.toFixed(2)} lookups, at most ${most}, and ${answers} answer at most (${stormCount} keys)`,
      )
      const millis = await partition([nodes[0]!, nodes[1]!], link, seconds)
      console.log(`partition: agreed ${millis.toFixed(0)} ms after ${seconds} s of silence`)
    }).finally(link.close)
  })
})
