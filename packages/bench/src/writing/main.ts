/** `pnpm writing`: ways to change the source beside a cache over Redis, and what they get wrong. */
import * as Effect from "effect/Effect"
import { parse, run, UsageError, wholeNumber } from "../command.ts"
import { hasRedis, withServer } from "../redis.ts"
import { costOf } from "./cost.ts"
import type { Trips } from "./countedTier.ts"
import { open } from "./open.ts"
import { race, type Rows } from "./race.ts"
import { strategies, type Strategy } from "./strategies.ts"

const usage = `Usage: pnpm writing [--rounds N] [--writes N]

Changes the source beside a cache of two nodes over one Redis, by each strategy:
  write, read  medians of a write without its source, and of the writer's next read
  trips        to Redis, of a write of a key that is in the cache
  wrong        rounds of two writers and three readers after which a node has a fresh value that the source
               does not have
  empty        rounds after which no node has a fresh value
  lagging      as wrong, with one writer that reads at once, from a replica that is 15 ms late

Options:
  --rounds N  rounds of each race (default 400)
  --writes N  writes of each measure (default 1000)
  --help      shows this`

const lagMillis = 15

/** One line of the table. */
const line = (
  url: string,
  strategy: Strategy,
  rounds: number,
  writes: number,
  replicaLag: number,
) =>
  Effect.gen(function* () {
    const rows: Rows = new Map()
    const trips: Trips = { count: 0 }
    const one = yield* open(url, rows, trips, replicaLag)
    const other = yield* open(url, rows, { count: 0 }, replicaLag)
    const cost = yield* costOf(strategy, one, trips, writes)
    const common = { strategy, larders: [one, other] as const, rows, rounds }
    const raced = yield* race({ ...common, writers: 2, lagMillis: 0 })
    const lagging = yield* race({ ...common, writers: 1, lagMillis })
    const of = (part: number) => `${part} of ${rounds}`
    return [
      replicaLag === 0 ? strategy.name : `${strategy.name}, \`replicaLag\``,
      `${cost.writeMicros.toFixed(0)} us`,
      `${cost.readMicros.toFixed(0)} us`,
      cost.trips.toFixed(1),
      of(raced.wrong),
      of(raced.empty),
      of(lagging.wrong),
    ]
  }).pipe(Effect.scoped)

const print = (cells: ReadonlyArray<string>) => console.log(`| ${cells.join(" | ")} |`)

await run(usage, async (args) => {
  const { positionals, values } = parse(args, {
    rounds: { type: "string", default: "400" },
    writes: { type: "string", default: "1000" },
  })
  if (positionals.length > 0) throw new UsageError(`there is no option ${positionals[0]}`)
  const rounds = wholeNumber("--rounds", values.rounds, 1_000_000)
  const writes = wholeNumber("--writes", values.writes, 1_000_000)
  if (!(await hasRedis())) throw new UsageError("this needs redis-server or valkey-server")
  const around = strategies.find(({ name }) => name === "`around`")!
  const lines = [
    ...strategies.map((strategy) => [strategy, 0] as const),
    [around, lagMillis + 2] as const,
  ]
  print(["strategy", "write", "read", "trips", "wrong", "empty", "lagging"])
  print(Array.from({ length: 7 }, (_, i) => (i === 0 ? "---" : "--:")))
  for (const [strategy, replicaLag] of lines) {
    await withServer(({ url }) =>
      Effect.runPromise(line(url, strategy, rounds, writes, replicaLag)).then(print),
    )
  }
})
