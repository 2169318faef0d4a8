/**
 * Measures what callers see while Redis is slow, frozen, away, full or emptied, on
 * real servers. Each answer has its own larder, so that no breaker is open at the
 * start. Run it with `node docs/scripts/fault-table.ts` after a change of the costs
 * of tiers.
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { fileURLToPath } from "node:url"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as RedisServer from "@larder/testing/RedisServer"
import { Clock, Data, Effect, Layer, Logger, Schema } from "effect"

const page = fileURLToPath(new URL("../redis.md", import.meta.url))
const begin = "<!-- fault table: made by docs/scripts/fault-table.ts -->"
const end = "<!-- end of fault table -->"

/** A way to the server that can take its time. */
const delaying = (to: number) =>
  Effect.gen(function* () {
    const state = { delayMillis: 0 }
    const server = net.createServer((near) => {
      const far = net.connect({ host: "127.0.0.1", port: to })
      near.pipe(far)
      far.on("data", (said) => setTimeout(() => near.write(said), state.delayMillis))
      for (const one of [near, far]) one.on("error", () => {})
      far.on("close", () => near.destroy())
      near.on("close", () => far.destroy())
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () => Effect.sync(() => server.close()),
    )
    return { port: (server.address() as net.AddressInfo).port, state }
  })

type Server = RedisServer.RedisServer
type Way = Effect.Success<ReturnType<typeof delaying>>

interface Trouble {
  readonly title: string
  readonly begin: (server: Server, way: Way) => Effect.Effect<unknown, unknown>
}

const fillUp = (server: Server) =>
  Effect.gen(function* () {
    yield* server.cli("CONFIG", "SET", "maxmemory", "3mb")
    yield* server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    const blob = "x".repeat(100_000)
    for (let i = 0; ; i++) {
      const full = yield* Effect.exit(server.cli("SET", `filling ${i}`, blob))
      if (full._tag === "Failure") break
    }
    for (let i = 0; ; i++) {
      const full = yield* Effect.exit(server.cli("SET", `dregs ${i}`, "x".repeat(100)))
      if (full._tag === "Failure") return
    }
  })

const troubles: ReadonlyArray<Trouble> = [
  { title: "well", begin: () => Effect.void },
  {
    title: "slow, 50 ms an answer",
    begin: (_, way) => Effect.sync(() => (way.state.delayMillis = 50)),
  },
  { title: "frozen", begin: (server) => server.freeze },
  { title: "away", begin: (server) => server.kill() },
  { title: "full, evicting nothing", begin: fillUp },
  { title: "emptied", begin: (server) => server.cli("FLUSHALL") },
]

class Away extends Data.TaggedError("Away") {}

/** A larder of a node of its own. */
const node = (url: string, name: string, policy: Policy.Options) =>
  Effect.gen(function* () {
    const upstream = { isAway: false, version: 1 }
    const stack = yield* Layer.build(
      TierStack.layer(
        MemoryTier.layer(),
        RedisTier.layer({ prefix: "table" }).pipe(
          Layer.provide(RedisClient.layer({ url })),
          Layer.provide(Logger.layer([])),
        ),
      ),
    )
    const larder = yield* Larder.make({
      name,
      value: Schema.Finite,
      tags: () => ["all"],
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.suspend(() =>
            upstream.isAway ? Effect.fail(new Away()) : Effect.succeed(upstream.version),
          ),
      }),
      policy: Policy.make(policy),
    }).pipe(Effect.provide(stack))
    return { larder, upstream }
  })

type Node = Effect.Success<ReturnType<typeof node>>

/** A time in words, rounded so coarsely that it is the same on every machine. */
const taking = (millis: number): string =>
  millis < 50 ? "at once" : `in about ${(Math.round(millis / 100) / 10).toFixed(1)} s`

interface Answer {
  readonly title: string
  readonly policy: Policy.Options
  /** Another node has looked the value up. */
  readonly isElsewhere?: boolean
  /** Runs before the fault begins. */
  readonly before: (node: Node) => Effect.Effect<unknown, unknown>
  readonly ask: (node: Node) => Effect.Effect<string, unknown>
}

const hour = { freshFor: "1 hour", staleIfError: "1 hour" } as const
const over = { freshFor: 1, jitter: 0 } as const

const value = ({ larder }: Node) =>
  Effect.map(larder.getWithMeta("k"), ({ freshness, tier, value }) => {
    if (freshness._tag === "Stale") return "the stale value"
    if (tier === "upstream") return value === 2 ? "upstream's value" : "upstream's old value"
    return tier === "redis" ? "Redis' value" : "the value"
  })

const load = ({ larder, upstream }: Node) =>
  Effect.gen(function* () {
    yield* larder.get("k")
    upstream.version = 2
    // Past its millisecond of freshness, and in Redis.
    while (!(yield* larder.stats).entries) yield* Effect.sleep(1)
    yield* Effect.sleep(50)
  })

/** Another key: the connection is there, the marks are known. */
const warmUp = ({ larder, upstream }: Node) =>
  Effect.andThen(
    larder.get("another"),
    Effect.sync(() => (upstream.version = 2)),
  )

const answers: ReadonlyArray<Answer> = [
  { title: "`get`, fresh in memory", policy: hour, before: load, ask: value },
  {
    title: "`get`, in revalidate grace",
    policy: { ...over, staleWhileRevalidate: "1 hour" },
    before: load,
    ask: value,
  },
  {
    title: "`get`, in error grace",
    policy: { ...over, staleIfError: "1 hour" },
    before: load,
    ask: value,
  },
  {
    title: "the same, upstream fails",
    policy: { ...over, staleIfError: "1 hour" },
    before: (node) =>
      Effect.andThen(
        load(node),
        Effect.sync(() => (node.upstream.isAway = true)),
      ),
    ask: value,
  },
  { title: "`get`, only in Redis", policy: hour, isElsewhere: true, before: warmUp, ask: value },
  { title: "`get`, nowhere", policy: hour, before: warmUp, ask: value },
  {
    title: "`set`",
    policy: hour,
    before: load,
    ask: ({ larder }) =>
      Effect.map(larder.set("k", 3), ({ settled }) => (settled ? "settled" : "not settled")),
  },
  {
    title: "`invalidateTags`",
    policy: hour,
    before: load,
    ask: ({ larder }) =>
      Effect.map(larder.invalidateTags(["all"]), ({ settled }) =>
        settled ? "settled" : "not settled",
      ),
  },
]

const measured = ({ ask }: Answer, node: Node) =>
  Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    const words = yield* ask(node)
    const till = yield* Clock.currentTimeMillis
    return `${words}, ${taking(till - from)}`
  })

const column = (
  trouble: Trouble,
  answers: ReadonlyArray<Answer>,
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const server: Server = yield* RedisServer.start()
    const way = yield* delaying(server.port)
    const url = `redis://127.0.0.1:${way.port}`
    const nodes = yield* Effect.forEach(answers, (answer, i) =>
      Effect.gen(function* () {
        const name = `larder ${i}`
        if (answer.isElsewhere) yield* load(yield* node(url, name, answer.policy))
        const own = yield* node(url, name, answer.policy)
        yield* answer.before(own)
        return own
      }),
    )
    yield* trouble.begin(server, way)
    const words = yield* Effect.forEach(answers, (answer, i) => measured(answer, nodes[i]!))
    yield* server.thaw
    return words
  }).pipe(Effect.scoped)

/**
 * Measures a column. What differs from `expected` is measured again, at most four times: a busy machine makes
 * an answer slower now and then, and a tier's answer too late, but not every time.
 */
const columnLike = (
  trouble: Trouble,
  expected: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const seen = [...(yield* column(trouble, answers))]
    for (let again = 0; again < 4; again++) {
      const different = answers.flatMap((_, i) => (seen[i] === expected[i] ? [] : [i]))
      if (different.length === 0) break
      const cells = yield* column(
        trouble,
        different.map((i) => answers[i]!),
      )
      for (const [n, i] of different.entries()) seen[i] = cells[n]!
    }
    return seen
  })

const shown = (columns: ReadonlyArray<ReadonlyArray<string>>): string => {
  const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    row(["Redis is", ...answers.map(({ title }) => title)]),
    row(["---", ...answers.map(() => "---")]),
    ...troubles.map(({ title }, i) => row([title, ...columns[i]!])),
  ].join("\n")
}

/** The table in Markdown. */
const table: Effect.Effect<string, unknown> = Effect.map(
  Effect.provide(
    Effect.forEach(troubles, (trouble) => column(trouble, answers)),
    Logger.layer([]),
  ),
  shown,
)

/** The cells of the page's table after its two rows of titles, by the first cell of their row. */
const cellsOf = (text: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const rows = text.slice(text.indexOf(begin), text.indexOf(end)).split("\n")
  const cells = rows.filter((row) => row.startsWith("|")).map((row) => row.split("|").slice(1, -1))
  return new Map(
    cells.slice(2).map((row) => {
      const [title = "", ...own] = row.map((cell) => cell.trim())
      return [title, own]
    }),
  )
}

/** The table in Markdown, with the cells of the page where they can be seen at least once in five times. */
export const tableLike = (text: string): Effect.Effect<string, unknown> => {
  const expected = cellsOf(text)
  const columns = Effect.forEach(troubles, (trouble) =>
    columnLike(trouble, expected.get(trouble.title) ?? []),
  )
  return Effect.map(Effect.provide(columns, Logger.layer([])), shown)
}

/** The page with another table in the place of its own. */
export const withTable = (text: string, table: string): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the table: ${begin}`)
  return `${text.slice(0, from)}${begin}\n\n${table}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await Effect.runPromise(table)
  writeFileSync(page, withTable(readFileSync(page, "utf8"), made))
}
