/** A change table in SQLite, and law 29: what may have been missed counts as everything. */
import { assert, describe, it } from "@effect/vitest"
import {
  InvalidOptions,
  Invalidations,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { ChangeTable } from "@larder/sql"
import { NodeSqliteClient } from "@larder/sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as SqlClient from "effect/sql/SqlClient"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { diedOf, on, pass, running, shown, taken } from "./support/feeds.ts"

const tables: ReadonlyArray<ChangeTable.Watched> = [
  { table: "products", larder: "products", key: "id", tags: ["category"] },
]

const database = (watched: ReadonlyArray<ChangeTable.Watched> = tables) =>
  Effect.gen(function* () {
    const built = yield* Layer.build(NodeSqliteClient.layer({ filename: ":memory:" }))
    const sql = Context.get(built, SqlClient.SqlClient)
    yield* sql`CREATE TABLE products (id TEXT PRIMARY KEY, shop TEXT, category TEXT, price INTEGER)`
    yield* on(sql)(ChangeTable.install({ tables: watched }))
    return sql
  })

const add = (sql: SqlClient.SqlClient, id: string, category: string | null = null) =>
  sql`INSERT INTO products (id, category) VALUES (${id}, ${category})`

describe("triggers", () => {
  it.effect(
    "record keys and tags of inserts, updates and deletes; those from before an update as well",
    () =>
      Effect.gen(function* () {
        const sql = yield* database()
        const { heard } = yield* running(sql)
        yield* add(sql, "milk", "dairy")
        yield* sql`UPDATE products SET category = 'drinks'`
        yield* sql`UPDATE products SET id = 'oat milk'`
        yield* sql`UPDATE products SET category = NULL`
        yield* sql`DELETE FROM products`
        yield* pass(1_000)
        assert.deepStrictEqual(heard, [
          "gap",
          "products milk tags dairy",
          "products milk tags dairy,drinks",
          "products milk,oat milk tags drinks",
          "products oat milk tags drinks",
          "products oat milk",
        ])
      }),
  )

  it.effect("nothing of a transaction that rolled back", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { heard } = yield* running(sql)
      yield* Effect.exit(sql.withTransaction(Effect.andThen(add(sql, "a"), Effect.fail("no"))))
      yield* sql.withTransaction(Effect.andThen(add(sql, "b"), add(sql, "c")))
      yield* pass(1_000)
      assert.deepStrictEqual(heard, ["gap", "products b", "products c"])
    }),
  )

  it.effect("one table for several larders, with keys of expressions and of numbers", () =>
    Effect.gen(function* () {
      const sql = yield* database([
        { table: "products", larder: "by shop", key: (row) => `${row}.shop || '/' || ${row}.id` },
        { table: "products", larder: "it's a price", key: "price" },
      ])
      const { heard } = yield* running(sql)
      yield* sql`INSERT INTO products VALUES ('milk', 'a "b"', NULL, 7)`
      yield* pass(1_000)
      assert.sameMembers(heard, ["gap", 'by shop a "b"/milk', "it's a price 7"])
    }),
  )

  it.effect("the statements may be run again, with more tables, and be undone", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      yield* sql`CREATE TABLE shops (id TEXT PRIMARY KEY)`
      const more = [...tables, { table: "shops", larder: "shops", key: "id" }]
      yield* on(sql)(ChangeTable.install({ tables: more }))
      yield* add(sql, "a")
      yield* sql`INSERT INTO shops VALUES ('b')`
      assert.strictEqual((yield* sql`SELECT * FROM larder_change`).length, 2)
      for (const statement of ChangeTable.dropDdl("sqlite", { tables: more }).split(";\n")) {
        if (statement.trim() !== "") yield* sql.unsafe(statement)
      }
      yield* add(sql, "c")
      const left = yield* sql`SELECT name FROM sqlite_master WHERE name LIKE 'larder%'`
      assert.deepStrictEqual(left, [])
    }),
  )

  it.effect("the printed text is what a migration runs", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const text = ChangeTable.ddl("sqlite", { tables, name: "other_changes" })
      // A trigger has a semicolon within it.
      for (const statement of text.split(/;\n\n/)) yield* sql.unsafe(statement)
      yield* add(sql, "a")
      const rows = yield* sql`SELECT larder, keys FROM other_changes`
      assert.deepStrictEqual(rows, [{ larder: "products", keys: '["a"]' }])
    }),
  )
})

describe("a feed", () => {
  it.effect("invalidates a larder", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      yield* sql`INSERT INTO products VALUES ('milk', NULL, 'dairy', 100)`
      const price = (id: string) =>
        Effect.map(
          sql<{ price: number }>`SELECT price FROM products WHERE id = ${id}`,
          ([row]) => row?.price,
        )
      const larder = yield* Larder.make({
        name: "products",
        upstream: Upstream.make({ lookup: price }),
        policy: Policy.make({ freshFor: "1 day" }),
      })
      yield* Invalidations.from(larder, ChangeTable.stream()).pipe(on(sql), Effect.forkScoped)
      yield* pass(1_000)
      assert.strictEqual(yield* larder.get("milk"), 100)
      yield* sql`UPDATE products SET price = 120`
      assert.strictEqual(yield* larder.get("milk"), 100)
      yield* pass(1_000)
      assert.strictEqual(yield* larder.get("milk"), 120)
    }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

  it.effect("invalidates a larder by its own schema of keys", () =>
    Effect.gen(function* () {
      class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, id: Schema.String }) {}
      const sql = yield* database([
        {
          table: "products",
          larder: "products",
          key: (row) => `json_object('id', ${row}.id, 'shop', ${row}.shop)`,
        },
      ])
      yield* sql`INSERT INTO products VALUES ('milk', 'north', NULL, 100)`
      const larder = yield* Larder.make({
        name: "products",
        key: Schema.fromJsonString(Sku),
        upstream: Upstream.make({
          lookup: ({ id, shop }: Sku) =>
            Effect.map(
              sql<{
                price: number
              }>`SELECT price FROM products WHERE id = ${id} AND shop = ${shop}`,
              ([row]) => row?.price,
            ),
        }),
        policy: Policy.make({ freshFor: "1 day" }),
      })
      const milk = new Sku({ shop: "north", id: "milk" })
      yield* Invalidations.from(larder, ChangeTable.stream()).pipe(on(sql), Effect.forkScoped)
      yield* pass(1_000)
      assert.strictEqual(yield* larder.get(milk), 100)
      yield* sql`UPDATE products SET price = 120`
      yield* pass(1_000)
      assert.strictEqual(yield* larder.get(milk), 120)
    }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

  it.effect("goes on where the last run of its consumer ended, without a gap", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const options = { consumer: "a" }
      const first = yield* running(sql, options)
      yield* add(sql, "1")
      yield* pass(1_000)
      // The position of a change is kept when the next one is asked for.
      yield* pass(1_000)
      yield* first.stop
      yield* add(sql, "2")
      const second = yield* running(sql, options)
      yield* pass(1_000)
      assert.deepStrictEqual([first.heard, second.heard], [["gap", "products 1"], ["products 2"]])
      const other = yield* running(sql, { consumer: "b" })
      yield* pass(1_000)
      assert.deepStrictEqual(other.heard, ["gap"])
    }),
  )

  it.effect("gives a change again whose consumer had not ended with it", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      assert.deepStrictEqual(yield* taken(sql, 1, { consumer: "a" }), ["gap"])
      yield* on(sql)(
        Stream.runForEach(ChangeTable.stream({ consumer: "a" }), () => Effect.interrupt),
      ).pipe(Effect.exit)
      yield* add(sql, "1")
      const run = ChangeTable.stream({ consumer: "a" }).pipe(
        Stream.runForEach((change) => Effect.fail(shown(change))),
        on(sql),
        Effect.flip,
      )
      // The gap of the beginning was not ended with either.
      assert.strictEqual(yield* run, "gap")
      const { heard, stop } = yield* running(sql, { consumer: "a" })
      yield* pass(2_000)
      yield* stop
      assert.deepStrictEqual(heard, ["gap"])
      yield* add(sql, "2")
      assert.strictEqual(yield* run, "products 2")
      assert.strictEqual(yield* run, "products 2")
    }),
  )

  it.effect("keeps its position in a key-value store where it is told to", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const positions = yield* KeyValueStore.KeyValueStore
      const options = { consumer: "a", positions }
      const first = yield* running(sql, options)
      yield* add(sql, "1")
      yield* pass(2_000)
      yield* first.stop
      assert.deepStrictEqual(yield* sql`SELECT * FROM larder_change_position`, [])
      assert.strictEqual(yield* positions.has("larder_change/a"), true)
      yield* add(sql, "2")
      assert.deepStrictEqual(yield* taken(sql, 1, options), ["products 2"])
      yield* positions.set("larder_change/a", "garbage")
      assert.deepStrictEqual(yield* taken(sql, 1, options), ["gap"])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)),
  )

  it.effect("gives many changes in their order, none twice", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { heard } = yield* running(sql)
      yield* sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
        INSERT INTO products (id) SELECT i FROM n`
      yield* pass(1_000)
      assert.deepStrictEqual(heard, [
        "gap",
        ...Array.from({ length: 2_000 }, (_, i) => `products ${i + 1}`),
      ])
    }),
  )

  it.effect("does not end with a lost table: it goes on once it is back", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { fiber, heard } = yield* running(sql)
      yield* sql`ALTER TABLE larder_change RENAME TO away`
      yield* pass(60_000)
      yield* sql`ALTER TABLE away RENAME TO larder_change`
      yield* add(sql, "1")
      yield* pass(10_000)
      assert.deepStrictEqual(heard, ["gap", "products 1"])
      assert.isUndefined(fiber.pollUnsafe())
    }),
  )

  it.effect("fails where there is no such table to begin with", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const error = yield* Effect.flip(taken(sql, 1, { name: "no_changes" }))
      assert.include(String(error.message), "no such table: no_changes_state")
    }),
  )
})

describe("law 29", () => {
  it.effect(
    "changes that were deleted before they were read are a gap, for their reader alone",
    () =>
      Effect.gen(function* () {
        const sql = yield* database()
        const early = yield* running(sql, { consumer: "early" })
        yield* pass(2_000)
        yield* early.stop
        yield* add(sql, "1")
        yield* add(sql, "2")
        const late = yield* running(sql, { consumer: "late" })
        yield* add(sql, "3")
        yield* pass(2_000)
        yield* late.stop
        assert.strictEqual(yield* on(sql)(ChangeTable.prune({ olderThan: 0 })), 3)
        yield* add(sql, "4")
        assert.deepStrictEqual(yield* taken(sql, 1, { consumer: "early" }), ["gap"])
        assert.deepStrictEqual(yield* taken(sql, 1, { consumer: "late" }), ["products 4"])
      }),
  )

  it.effect("a table that was made anew is a gap, also where its numbers go on", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { stop } = yield* running(sql, { consumer: "a" })
      yield* pass(2_000)
      yield* stop
      yield* add(sql, "1")
      yield* sql`UPDATE larder_change_state SET epoch = 'another'`
      assert.deepStrictEqual(yield* taken(sql, 1, { consumer: "a" }), ["gap"])
    }),
  )

  it.effect("a table that lacks changes that were read, as one of a backup, is a gap", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { stop } = yield* running(sql, { consumer: "a" })
      yield* add(sql, "1")
      yield* pass(2_000)
      yield* stop
      yield* sql`DELETE FROM larder_change`
      yield* sql`UPDATE sqlite_sequence SET seq = 0 WHERE name = 'larder_change'`
      yield* add(sql, "2")
      yield* sql`UPDATE sqlite_sequence SET seq = 0 WHERE name = 'larder_change'`
      assert.deepStrictEqual(yield* taken(sql, 1, { consumer: "a" }), ["gap"])
    }),
  )

  it.effect("a change that cannot be read says that everything has changed", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      const { heard } = yield* running(sql)
      yield* sql`INSERT INTO larder_change (larder, keys) VALUES ('products', 'a,b')`
      yield* sql`INSERT INTO larder_change (larder, clear) VALUES ('products', 1)`
      yield* pass(1_000)
      assert.deepStrictEqual(heard, ["gap", "clear products", "clear products"])
    }),
  )
})

describe("retention", () => {
  it.effect("a stream deletes what is older, and keeps the rest", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      yield* sql`INSERT INTO larder_change (larder, at) VALUES ('old', 0)`
      yield* add(sql, "new")
      yield* running(sql, { retention: "1 day" })
      yield* pass(60_000)
      const rows = yield* sql<{ larder: string }>`SELECT larder FROM larder_change`
      assert.deepStrictEqual(rows, [{ larder: "products" }])
    }),
  )

  it.effect("with Infinity it deletes nothing", () =>
    Effect.gen(function* () {
      const sql = yield* database()
      yield* sql`INSERT INTO larder_change (larder, at) VALUES ('old', 0)`
      yield* running(sql, { retention: Infinity })
      yield* pass(3_600_000)
      assert.strictEqual((yield* sql`SELECT 1 FROM larder_change`).length, 1)
    }),
  )
})

describe("invalid options", () => {
  const ofDdl: ReadonlyArray<readonly [unknown, string]> = [
    [undefined, "options must be an object"],
    [{}, "tables must be a non-empty array"],
    [{ tables: [] }, "tables must be a non-empty array"],
    [{ tables, nam: "a" }, "nam is an unknown option; did you mean `name`?"],
    [{ tables, name: "Drop Table" }, "name must be 1 to 40 lower-case letters"],
    [{ tables, schema: "a.b" }, "schema must be 1 to 40 lower-case letters"],
    [{ tables, maxKeys: 0 }, "maxKeys must be an integer of at least 1, got 0"],
    [{ tables: [{ larder: "a", key: "b" }] }, "tables[0].table must be the name of a table"],
    [{ tables: [{ table: "a", key: "b" }] }, "tables[0].larder must be the name of a larder"],
    [{ tables: [{ table: "a", larder: "b" }] }, "tables[0].key must be the name of a column"],
    [
      { tables: [{ table: "a", larder: "b", key: "c", tags: "d" }] },
      "tables[0].tags must be an array",
    ],
    [
      { tables: [{ table: "a", larder: "b", kee: "c" }] },
      "tables[0].kee is an unknown option; did you mean `key`?",
    ],
  ]
  for (const [options, text] of ofDdl) {
    it(`ddl throws: ${text}`, () => {
      for (const print of [ChangeTable.ddl, ChangeTable.dropDdl]) {
        let error: unknown
        try {
          print("postgres", options as never)
        } catch (thrown) {
          error = thrown
        }
        assert.instanceOf(error, InvalidOptions)
        assert.include(error.message, `ChangeTable: ${text}`)
      }
    })
  }

  it("ddl throws for a dialect that it does not know", () => {
    assert.throws(
      () => ChangeTable.ddl("mysql" as never, { tables }),
      'dialect must be "postgres" or "sqlite"',
    )
  })

  const ofStream: ReadonlyArray<readonly [unknown, string]> = [
    [{ nam: "a" }, "nam is an unknown option; did you mean `name`?"],
    [{ name: "a b" }, "name must be 1 to 40 lower-case letters"],
    [{ consumer: " " }, "consumer must be a non-blank string"],
    [{ positions: {} }, "positions must be left out without `consumer`"],
    [{ listen: "larder_change" }, "listen must be a function"],
    [{ pollInterval: 9 }, "pollInterval must be a finite duration of at least 10 milliseconds"],
    [{ pollInterval: Infinity }, "pollInterval must be a finite duration"],
    [{ retention: -1 }, "retention must be a duration of at least 0"],
  ]
  for (const [options, text] of ofStream) {
    it.effect(`a stream dies: ${text}`, () =>
      Effect.gen(function* () {
        const sql = yield* database()
        const error = diedOf(yield* Effect.exit(taken(sql, 1, options as never)))
        assert.instanceOf(error, InvalidOptions)
        assert.include(error.message, `ChangeTable: ${text}`)
      }),
    )
  }
})
