/**
 * Sources: a table in SQLite or Postgres, or hashes in Redis. A value is a list of the ids of writes. Each
 * source refuses a version that is not above the one that it has.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { NodeSqliteClient } from "@larder/sqlite"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Redis } from "ioredis"
import type { Combo, ComboName, Config } from "./Config.ts"

export type Ids = ReadonlyArray<string>

export interface Row {
  readonly key: string
  readonly ids: Ids
  readonly version: number
}

export class SourceError extends Data.TaggedError("SourceError")<{ readonly cause: unknown }> {}

export class Source extends Context.Service<
  Source,
  {
    readonly find: (key: string) => Effect.Effect<Ids, SourceError>
    /** Replaces the values of keys. */
    readonly save: (rows: ReadonlyArray<Row>) => Effect.Effect<void, SourceError>
    /** Adds to the values of keys. */
    readonly add: (rows: ReadonlyArray<Row>) => Effect.Effect<void, SourceError>
    readonly all: Effect.Effect<ReadonlyArray<Row>, SourceError>
  }
>()("torture/Source") {}

const failing = <A, R>(effect: Effect.Effect<A, SqlError, R>) =>
  Effect.mapError(effect, (cause) => new SourceError({ cause }))

const idsOf = (text: string): Ids => (text === "" ? [] : text.split(","))

interface Found {
  readonly key: string
  readonly ids: string
  readonly version: string
}

const rowOf = ({ ids, key, version }: Found): Row => ({
  key,
  ids: idsOf(ids),
  version: Number(version),
})

const inSql = Layer.effect(
  Source,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.retry(
      sql`CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, ids TEXT NOT NULL, version BIGINT NOT NULL)`,
      { times: 3 },
    )
    const save = ({ ids, key, version }: Row) =>
      sql`INSERT INTO kept (key, ids, version) VALUES (${key}, ${ids.join(",")}, ${version})
        ON CONFLICT (key) DO UPDATE SET ids = excluded.ids, version = excluded.version
        WHERE kept.version < excluded.version`
    const add = ({ ids, key, version }: Row) =>
      sql`INSERT INTO kept (key, ids, version) VALUES (${key}, ${ids.join(",")}, ${version})
        ON CONFLICT (key) DO UPDATE SET ids = kept.ids || ',' || excluded.ids, version = excluded.version
        WHERE kept.version < excluded.version`
    // In the order of keys: two batches that lock rows in different orders wait for each other.
    const together = (rows: ReadonlyArray<Row>, one: typeof save) =>
      failing(
        sql.withTransaction(
          Effect.forEach(
            rows.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
            one,
            { discard: true },
          ),
        ),
      )
    const select = sql.literal("SELECT key, ids, CAST(version AS TEXT) AS version FROM kept")
    return {
      find: (key) =>
        Effect.map(failing(sql<Found>`${select} WHERE key = ${key}`), (rows) =>
          rows[0] === undefined ? [] : rowOf(rows[0]).ids,
        ),
      save: (rows) => together(rows, save),
      add: (rows) => together(rows, add),
      all: Effect.map(failing(sql<Found>`${select}`), (rows) => rows.map(rowOf)),
    }
  }),
)

/** ARGV: ids, version, and whether to add. */
const script = `
local have = redis.call('HGET', KEYS[1], 'version')
if have and tonumber(have) >= tonumber(ARGV[2]) then return 0 end
local ids = ARGV[1]
if have and ARGV[3] == 'add' then ids = redis.call('HGET', KEYS[1], 'ids') .. ',' .. ids end
redis.call('HSET', KEYS[1], 'ids', ids, 'version', ARGV[2])
return 1`

const inRedis = (port: number) =>
  Layer.effect(
    Source,
    Effect.gen(function* () {
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const client = new Redis(port, "127.0.0.1", {
            commandTimeout: 1_000,
            maxRetriesPerRequest: 0,
            retryStrategy: (times) => Math.min(20 * times, 200),
          })
          client.on("error", () => undefined)
          return client
        }),
        (client) => Effect.sync(() => client.disconnect()),
      )
      const asked = <A>(ask: () => Promise<A>) =>
        Effect.tryPromise({ try: ask, catch: (cause) => new SourceError({ cause }) })
      const nameOf = (key: string) => `source:${key}`
      const write = (how: "save" | "add") => (rows: ReadonlyArray<Row>) =>
        Effect.forEach(
          rows,
          ({ ids, key, version }) =>
            asked(() => redis.eval(script, 1, nameOf(key), ids.join(","), String(version), how)),
          { concurrency: "unbounded", discard: true },
        )
      return {
        find: (key) =>
          Effect.map(
            asked(() => redis.hget(nameOf(key), "ids")),
            (ids) => idsOf(ids ?? ""),
          ),
        save: write("save"),
        add: write("add"),
        all: Effect.gen(function* () {
          const names = yield* asked(() => redis.keys(nameOf("*")))
          return yield* Effect.forEach(names, (name) =>
            Effect.map(
              asked(() => redis.hgetall(name)),
              ({ ids = "", version = "0" }) =>
                rowOf({ key: name.slice(nameOf("").length), ids, version }),
            ),
          )
        }),
      }
    }),
  )

type Place = Pick<Config, "folder" | "redisPort" | "postgresUrl">

/** A file of its own for each part of a stack: SQLite has one writer of a file at a time. */
const sqliteIn = ({ folder }: Place, name: string) =>
  NodeSqliteClient.layer({ filename: `${folder}/${name}.sqlite` })

const postgresAt = ({ postgresUrl }: Place) =>
  PgClient.layer({
    url: Redacted.make(postgresUrl ?? ""),
    maxConnections: 4,
    connectTimeout: "2 seconds",
  })

export const clientOf = (
  kind: "sqlite" | "postgres",
  place: Place,
  name: string,
): Layer.Layer<SqlClient.SqlClient, unknown> =>
  kind === "sqlite" ? sqliteIn(place, name) : postgresAt(place)

export const sourceOf = (
  name: ComboName,
  { source }: Combo,
  place: Place,
): Layer.Layer<Source, unknown> =>
  source === "redis"
    ? inRedis(place.redisPort)
    : Layer.provide(inSql, clientOf(source, place, `${name}-source`))
