/** `pnpm bench:trips`: what Larder and its peers send to Redis for each operation. */
import { layered, layeredNames } from "../contenders/layered.ts"
import { environment } from "../environment.ts"
import * as redis from "../redis.ts"
import { heading } from "../table.ts"
import { linesOf } from "./larder.ts"
import { countsOf } from "./peers.ts"
import { columns, counted, tally } from "./report.ts"

const { server, stop } = await redis.start()
const own = (await linesOf(server.url)).map(([operation, { commands, trips }]) => [
  operation,
  String(trips),
  counted(tally(commands)),
])
await stop()

const peers: Array<ReadonlyArray<string>> = []
for (const name of layeredNames.filter((each) => each !== "larder")) {
  peers.push([name, ...(await countsOf(name))])
}

console.log(
  [
    heading(environment(layeredNames.flatMap((name) => layered(name).packages))),
    "",
    "Larder over memory and Redis, nothing in memory: what its client sends.",
    "Of a miss, the last script stores the value when the callers have been answered.",
    columns([["", "trips", "commands"], ...own]),
    "",
    "Peers over memory and Redis, nothing in memory: what the server was asked.",
    columns([["", "hit", "miss", "1,000 cold callers of one key"], ...peers]),
  ].join("\n"),
)
process.exit()
