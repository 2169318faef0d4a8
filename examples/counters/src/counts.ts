/** The source: a table of counts in a database. It refuses what it has already, by the version of a write. */
import { Context, Data, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"

export class CountsDown extends Data.TaggedError("CountsDown")<{ readonly cause: unknown }> {}

/** A write of one page: what to add to its count, or the count itself. */
export interface Write {
  readonly page: string
  readonly count: number
  readonly version: number
}

export class Counts extends Context.Service<
  Counts,
  {
    readonly count: (page: string) => Effect.Effect<number, CountsDown>
    /** Adds one, and returns the new count: one statement. */
    readonly addOne: (page: string) => Effect.Effect<number, CountsDown>
    /** Adds to counts, unless the source has that version or a higher one: each write counts once. */
    readonly addAll: (writes: ReadonlyArray<Write>) => Effect.Effect<void, CountsDown>
    /** Takes the place of counts, unless the source has that version or a higher one. */
    readonly setAll: (writes: ReadonlyArray<Write>) => Effect.Effect<void, CountsDown>
    /** All pages. */
    readonly all: Effect.Effect<ReadonlyMap<string, number>, CountsDown>
    /** How many rows this process has written. */
    readonly written: Effect.Effect<number>
  }
>()("counters/Counts") {}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS counts (page TEXT PRIMARY KEY, count INTEGER NOT NULL, version INTEGER NOT NULL)`
  let written = 0
  const failing = Effect.mapError((cause: unknown) => new CountsDown({ cause }))
  const inOneTransaction = (
    writes: ReadonlyArray<Write>,
    write: (one: Write) => Effect.Effect<unknown, unknown>,
  ) =>
    Effect.forEach(writes, write, { discard: true }).pipe(
      sql.withTransaction,
      Effect.tap(
        Effect.sync(() => {
          written += writes.length
        }),
      ),
      failing,
    )
  return Counts.of({
    count: (page) =>
      sql<{ count: number }>`SELECT count FROM counts WHERE page = ${page}`.pipe(
        Effect.map(([row]) => row?.count ?? 0),
        failing,
      ),
    addOne: (page) =>
      sql<{ count: number }>`
        INSERT INTO counts (page, count, version) VALUES (${page}, 1, 0)
        ON CONFLICT (page) DO UPDATE SET count = count + 1 RETURNING count`.pipe(
        Effect.map(([row]) => {
          written += 1
          return row!.count
        }),
        failing,
      ),
    addAll: (writes) =>
      inOneTransaction(
        writes,
        ({ count, page, version }) => sql`
          INSERT INTO counts (page, count, version) VALUES (${page}, ${count}, ${version})
          ON CONFLICT (page) DO UPDATE SET count = counts.count + excluded.count, version = excluded.version
          WHERE counts.version < excluded.version`,
      ),
    setAll: (writes) =>
      inOneTransaction(
        writes,
        ({ count, page, version }) => sql`
          INSERT INTO counts (page, count, version) VALUES (${page}, ${count}, ${version})
          ON CONFLICT (page) DO UPDATE SET count = excluded.count, version = excluded.version
          WHERE counts.version < excluded.version`,
      ),
    all: sql<{ page: string; count: number }>`SELECT page, count FROM counts`.pipe(
      Effect.map((rows) => new Map(rows.map(({ count, page }) => [page, count]))),
      failing,
    ),
    written: Effect.sync(() => written),
  })
})

export const layer = Layer.effect(Counts, make)
