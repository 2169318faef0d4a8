/** `pnpm bench:blocking`: see options.ts for its command line. */
import { MemoryTier, TierStack } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { now, turn } from "../clock.ts"
import * as command from "../command.ts"
import { openLarder } from "../contenders/product.ts"
import { environment } from "../environment.ts"
import * as Source from "../source.ts"
import { heading } from "../table.ts"
import { type Full, keyOf, type Operation, operations, room } from "./operations.ts"
import { options, type Options, usage } from "./options.ts"
import { type Line, mostMillis, report } from "./report.ts"
import { collectGarbage, longestHeld, type Span, watch } from "./turns.ts"

/** Of each kind, after the operation. */
const calls = 10_000
/** What timers begin belongs to it. */
const leastMillis = 2_000
const life = 60_000
const tag = "pantry"

const source = Source.make(1, "none")
const product = source.expected(source.keys[0]!)

/** Stands still while a larder is filled, so that all its entries end at once. */
const standing = () => {
  const time = { millis: 1_790_000_000_000 }
  const clock: Clock.Clock = Object.create(Clock.Clock.defaultValue(), {
    currentTimeMillisUnsafe: { value: () => time.millis },
  })
  return { time, clock }
}

const opened = (entries: number) =>
  Effect.gen(function* () {
    const { clock, time } = standing()
    const { close, larder } = yield* openLarder({
      lookup: () => Effect.succeed(product),
      stack: TierStack.layer(MemoryTier.layer({ maxEntries: Math.ceil(entries * room) })),
      policy: { freshFor: life, staleWhileRevalidate: 0, staleIfError: 0 },
      tags: ({ category }) => [category, tag],
    }).pipe(Effect.provideService(Clock.Clock, clock))
    for (let number = 0; number < entries; number++) yield* larder.set(keyOf(number), product)
    const expireAll = () => {
      time.millis += life
    }
    return { close, full: { larder, entries, tag, product, expireAll } satisfies Full }
  })

/** One call in a turn, all over the entries and beyond them. */
const readAndWrite = async (
  { entries, larder }: Full,
  doing: (what: string) => void,
): Promise<void> => {
  const end = now() + leastMillis
  const step = Math.max(1, Math.floor(entries / calls))
  const first = Math.ceil(entries * room)
  for (let call = 0; call < calls || now() < end; call++) {
    doing("a read")
    await Effect.runPromise(larder.get(keyOf((call * step) % entries)))
    await turn()
    doing("a write")
    await Effect.runPromise(larder.set(keyOf(first + (call % calls)), product))
    await turn()
  }
}

const longestOf = (spans: ReadonlyArray<Span>): number =>
  spans.reduce((longest, { from, to }) => Math.max(longest, to - from), 0)

const lineOf = async ({ run, title }: Operation, entries: number): Promise<Line> => {
  process.stderr.write(`${title}\n`)
  const { close, full } = await Effect.runPromise(Effect.orDie(opened(entries)))
  collectGarbage()
  let operation = 0
  const { collections, turns } = await watch(async (doing) => {
    doing("the operation")
    const from = now()
    await Effect.runPromise(run(full))
    operation = now() - from
    await turn()
    await readAndWrite(full, doing)
  })
  await Effect.runPromise(close)
  return {
    title,
    operation,
    held: longestHeld(turns, collections),
    turn: longestOf(turns),
    collection: longestOf(collections),
  }
}

const main = async ({ entries }: Options): Promise<void> => {
  const lines: Array<Line> = []
  for (const operation of operations) lines.push(await lineOf(operation, entries))
  console.log(
    [
      heading(environment(["@larder/core", "effect"])),
      `${entries.toLocaleString("en")} entries in memory, and at least ${calls.toLocaleString("en")} reads and as many writes after each operation`,
      `wanted: no turn of the event loop over ${mostMillis} ms of its own: without collections of garbage and other processes`,
      "",
      report(lines),
    ].join("\n"),
  )
}

await command.run(usage, options, main)
