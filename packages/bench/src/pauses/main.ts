/**
 * `pnpm bench:pauses [ROWS]`: for how long single operations of a SQLite tier hold
 * up the process while it tidies a file of a million rows: all of them expired,
 * or all of them alive and the file full.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Envelope, Tier } from "@larder/core"
import { SqliteTier } from "@larder/sqlite"
import { Clock, Context, Effect, Layer, Logger } from "effect"
import { now } from "../clock.ts"
import { environment } from "../environment.ts"
import { quantile } from "../statistics.ts"
import { heading } from "../table.ts"

const rows = Number(process.argv[2] ?? 1_000_000)
const operations = 20_000
const life = 3_600_000
const value = new Uint8Array(200).fill(120)

/** Time that the run moves, so that a million lives end at once. */
const time = { millis: 1_790_000_000_000 }
const clock: Clock.Clock = Object.create(Clock.Clock.defaultValue(), {
  currentTimeMillisUnsafe: { value: () => time.millis },
})

const envelope = (version: number): Uint8Array =>
  Envelope.make({
    version,
    freshUntil: time.millis + life,
    revalidateUntil: time.millis + life,
    staleUntil: time.millis + life,
    storedAt: time.millis,
    schemaVersion: 0,
    loadMillis: 1,
    asOf: 0,
    tags: [],
    wire: "json",
    value,
  })

const openIn = (folder: string) =>
  Effect.gen(function* () {
    const layer = SqliteTier.layer({
      filename: join(folder, "larder.sqlite"),
      maxEntries: rows,
      maxBytes: Number.MAX_SAFE_INTEGER,
    })
    const tier = Context.get(yield* Layer.build(Layer.provide(layer, Logger.layer([]))), Tier.Tier)
    if (tier.kind !== "bytes") throw new Error("a byte tier")
    return yield* tier.open({ larder: "pauses" })
  }).pipe(Effect.provideService(Clock.Clock, clock))

/** One line: of the writes, and of the reads between them. */
const measured = (title: string, store: Tier.ByteStore, first: number): string => {
  const times = { put: new Array<number>(), read: new Array<number>() }
  const timed = (kind: "put" | "read", effect: Effect.Effect<unknown, Tier.TierError>) => {
    const from = now()
    Effect.runSync(effect)
    times[kind].push(now() - from)
  }
  for (let i = 0; i < operations; i++) {
    timed("put", store.put(`key ${first + i}`, envelope(1), life))
    timed("read", store.read([`key ${first + i}`]))
  }
  return Object.entries(times)
    .map(([kind, all]) => {
      const sorted = all.toSorted((a, b) => a - b)
      const of = (q: number) => `${quantile(sorted, q).toFixed(2)} ms`
      return `${title}  ${kind.padEnd(5)} median ${of(0.5)}  p99.9 ${of(0.999)}  max ${of(1)}`
    })
    .join("\n")
}

const folder = mkdtempSync(join(tmpdir(), "larder-pauses-"))
try {
  const lines = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* openIn(folder)
        for (let i = 0; i < rows; i++) yield* store.put(`key ${i}`, envelope(1), life)
        const size = statSync(join(folder, "larder.sqlite")).size
        const full = measured("full:       each write takes one away", store, rows)
        time.millis += life
        const expired = measured("all expired: each write takes eight away", store, 3 * rows)
        return [
          heading(environment(["@larder/sqlite"])),
          `${rows.toLocaleString("en")} rows, ${(size / 1e6).toFixed(0)} MB; ${operations.toLocaleString("en")} writes and as many reads in each line`,
          "",
          full,
          expired,
        ]
      }),
    ),
  )
  console.log(lines.join("\n"))
} finally {
  rmSync(folder, { recursive: true })
}
