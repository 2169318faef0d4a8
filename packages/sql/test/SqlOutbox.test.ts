/** Outboxes in a database: several clients of one file, callers in transactions, and options. */
import { InvalidOptions, OutboxStore } from "@larder/core"
import { describe, expect, it } from "@effect/vitest"
import { NodeSqliteClient } from "@larder/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Statement from "effect/sql/Statement"
import * as Reactivity from "effect/reactivity/Reactivity"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqlOutbox from "../src/SqlOutbox.ts"

const file = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "larder-outbox-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
).pipe(Effect.map((folder) => join(folder, "outbox.sqlite")))

const options = { outbox: "prices", maxPending: 100, merges: false }
const write = (key: string, version: number) => ({ key, version, payload: "1", merged: [] })

/** A store as a process has it: with a client of its own. */
const storeOn = (filename: string) =>
  Effect.gen(function* () {
    const client = NodeSqliteClient.layer({ filename })
    const layer = SqlOutbox.layer().pipe(Layer.provide(client))
    const built = yield* Layer.build(Layer.fresh(layer))
    return yield* Context.get(built, OutboxStore.OutboxStore).open(options)
  })

describe("an outbox in a database", () => {
  it.live("is one for all clients of a file, bound included, and survives them", () =>
    Effect.gen(function* () {
      const filename = yield* file
      yield* Effect.scoped(
        Effect.gen(function* () {
          const one = yield* storeOn(filename)
          const other = yield* storeOn(filename)
          const keys = Array.from({ length: 60 }, (_, i) => i)
          const answers = yield* Effect.all(
            [one, other].flatMap((store, s) =>
              keys.map((i) => store.offer([write(`${s}-${i}`, 1)])),
            ),
            { concurrency: "unbounded" },
          )
          const tags = answers.flat().map(({ _tag }) => _tag)
          expect(tags.filter((tag) => tag === "Accepted")).toHaveLength(100)
          expect(tags.filter((tag) => tag === "Full")).toHaveLength(20)
        }),
      )
      const next = yield* storeOn(filename)
      expect((yield* next.depth).waiting).toBe(100)
    }),
  )

  it.live("says what it is, and keeps to its own table", () =>
    Effect.gen(function* () {
      const sql = yield* NodeSqliteClient.make({ filename: ":memory:" })
      const client = Layer.succeed(SqlClient.SqlClient, sql)
      const layer = SqlOutbox.layer({ table: "writes", name: "prices" }).pipe(Layer.provide(client))
      const store = Context.get(yield* Layer.build(layer), OutboxStore.OutboxStore)
      expect(store).toMatchObject({ name: "prices", durability: "machine", hears: "own" })
      const opened = yield* store.open(options)
      yield* opened.offer([write("milk", 1)])
      const tables = yield* sql<{
        readonly name: string
      }>`select name from sqlite_master where type = 'table' order by name`
      expect(tables.map(({ name }) => name)).toEqual(["writes", "writes_size"])
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.live("a damaged row stops no other (law 27), and a newer write takes its place", () =>
    Effect.gen(function* () {
      const sql = yield* NodeSqliteClient.make({ filename: ":memory:" })
      const client = Layer.succeed(SqlClient.SqlClient, sql)
      const built = yield* Layer.build(SqlOutbox.layer().pipe(Layer.provide(client)))
      const store = yield* Context.get(built, OutboxStore.OutboxStore).open(options)
      yield* store.offer([write("a", 5), write("b", 5)])
      yield* sql`update larder_outbox set waiting_version = 'garbage' where key = 'a'`
      const request = { max: 10, lockMillis: 60_000, minCount: 1, minAgeMillis: 0 }
      const { writes } = yield* store.claim(request)
      const found = new Map(writes.map((one) => [one.key, one]))
      expect(found.get("a")).toMatchObject({ version: 0, payload: "" })
      expect(found.get("b")).toMatchObject({ version: 5, payload: "1" })
      expect(yield* store.bury(found.get("a")!, { why: "damaged" })).toBe(true)
      expect(yield* store.dead(undefined, 10)).toMatchObject([{ key: "a", why: "damaged" }])
      const [answer] = yield* store.offer([write("a", 6)])
      expect(answer?._tag).toBe("Accepted")
      expect(yield* store.depth).toMatchObject({ waiting: 1, inFlight: 1, dead: 0 })
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.live("fails its steps with the cause where the database is gone", () =>
    Effect.gen(function* () {
      const sql = yield* NodeSqliteClient.make({ filename: ":memory:" })
      const client = Layer.succeed(SqlClient.SqlClient, sql)
      const built = yield* Layer.build(SqlOutbox.layer().pipe(Layer.provide(client)))
      const store = yield* Context.get(built, OutboxStore.OutboxStore).open(options)
      yield* sql`drop table larder_outbox`
      for (const step of [store.offer([write("milk", 1)]), store.depth, store.rows(["milk"])]) {
        const error = yield* Effect.flip(step as Effect.Effect<unknown, unknown>)
        expect(error).toMatchObject({ _tag: "OutboxStoreError", store: "sql" })
      }
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})

describe("options", () => {
  const died = async (layer: Layer.Layer<OutboxStore.OutboxStore, unknown>) => {
    const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer)))
    return Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  }
  it.each([
    [{ table: "Writes" }, "table"],
    [{ table: "larder outbox" }, "table"],
    [{ table: "x".repeat(50) }, "table"],
    [{ name: "" }, "name"],
    [{ tables: "writes" }, "tables"],
  ])("dies with InvalidOptions for %o", async (given, field) => {
    const client = NodeSqliteClient.layer({ filename: ":memory:" })
    const layer = SqlOutbox.layer(given as never).pipe(Layer.provide(client))
    const reason = await died(layer)
    expect(reason).toMatchObject({ defect: expect.any(InvalidOptions) })
    expect(reason).toMatchObject({ defect: { module: "SqlOutbox", field } })
  })

  it("dies with InvalidOptions for a client of another dialect", async () => {
    const other = SqlClient.make({
      acquirer: Effect.never,
      compiler: Statement.makeCompiler({
        dialect: "mysql",
        placeholder: () => "?",
        onIdentifier: (name) => name,
        onCustom: () => ["", []],
        onRecordUpdate: () => ["", []],
      }),
      spanAttributes: [],
      driver: "none",
    })
    const client = Layer.effect(SqlClient.SqlClient, other).pipe(Layer.provide(Reactivity.layer))
    const reason = await died(SqlOutbox.layer().pipe(Layer.provide(client)))
    expect(reason).toMatchObject({ defect: { module: "SqlOutbox", field: "SqlClient" } })
  })
})
