/** Effect's SqlClient on node:sqlite: its statements, transactions, streams, errors, and what effect builds on it. */
import { assert, describe, it } from "@effect/vitest"
import { InvalidOptions } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Str from "effect/String"
import * as Stream from "effect/Stream"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { Database } from "../src/internal/client/database.ts"
import * as NodeSqliteClient from "../src/NodeSqliteClient.ts"
import { temporaryFile, temporaryFolder } from "./support/files.ts"

const client = (options: Partial<NodeSqliteClient.Options> = {}) =>
  Effect.gen(function* () {
    const filename = options.filename ?? (yield* temporaryFile)
    const sql = yield* Effect.provide(
      NodeSqliteClient.make({ ...options, filename }),
      Reactivity.layer,
    )
    return Object.assign(sql, { filename })
  })

const withRows = (count: number, options: Partial<NodeSqliteClient.Options> = {}) =>
  Effect.gen(function* () {
    const sql = yield* client(options)
    yield* sql`CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)`
    yield* sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${count})
      INSERT INTO rows SELECT i, 'row ' || i FROM n`
    return sql
  })

const counted = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ n: number }>`SELECT count(*) AS n FROM rows`, ([row]) => row?.n)

const reasonOf = <A, R>(effect: Effect.Effect<A, SqlError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

describe("statements", () => {
  it.effect("values come back as they were stored", () =>
    Effect.gen(function* () {
      const sql = yield* client()
      yield* sql`CREATE TABLE kept (id INTEGER PRIMARY KEY, value)`
      const bytes = new Uint8Array([0, 1, 255])
      const values = [1, -1.5, 1_790_000_000_000, 2 ** 53 - 1, "text", "", null, bytes]
      yield* Effect.forEach(values, (value) => sql`INSERT INTO kept (value) VALUES (${value})`)
      const rows = yield* sql<{ value: unknown }>`SELECT value FROM kept ORDER BY id`
      assert.deepStrictEqual(
        rows.map(({ value }) => value),
        values,
      )
      const kinds = yield* sql<{ kind: string }>`SELECT typeof(value) AS kind FROM kept ORDER BY id`
      assert.deepStrictEqual(
        kinds.map(({ kind }) => kind),
        ["integer", "real", "integer", "integer", "text", "text", "null", "blob"],
      )
    }),
  )

  it.effect("undefined is NULL, a boolean is 0 or 1, other objects are refused", () =>
    Effect.gen(function* () {
      const sql = yield* client({ filename: ":memory:" })
      assert.deepStrictEqual(yield* sql`SELECT ${undefined} AS a, ${true} AS b, ${false} AS c`, [
        { a: null, b: 1, c: 0 },
      ])
      const date = new Date(0)
      for (const value of [{}, { a: 1 }, [], date, Symbol("s")]) {
        const reason = yield* reasonOf(sql.unsafe("SELECT ?", [value]))
        assert.include(reason.message ?? "", "parameter 1 is of type")
      }
    }),
  )

  it.effect("integers beyond 2^53 fail with the remedy, and are bigint with SafeIntegers", () =>
    Effect.gen(function* () {
      const sql = yield* client({ filename: ":memory:" })
      const wide = sql`SELECT ${2n ** 60n} AS wide, 1 AS narrow`
      assert.include((yield* reasonOf(wide)).message ?? "", "SqlClient.SafeIntegers")
      const safe = Effect.provideService(wide, SqlClient.SafeIntegers, true)
      assert.deepStrictEqual(yield* safe, [{ wide: 2n ** 60n, narrow: 1n }])
      assert.deepStrictEqual(yield* sql`SELECT 1 AS one`, [{ one: 1 }])
    }),
  )

  it.effect("rows as arrays, raw results, RETURNING, and names transformed", () =>
    Effect.gen(function* () {
      const sql = yield* client({
        filename: ":memory:",
        transformQueryNames: Str.camelToSnake,
        transformResultNames: Str.snakeToCamel,
      })
      yield* sql`CREATE TABLE products (product_id INTEGER PRIMARY KEY, unit_price INTEGER)`
      assert.deepStrictEqual(
        yield* sql`INSERT INTO products ${sql.insert({ unitPrice: 5 })} RETURNING *`,
        [{ productId: 1, unitPrice: 5 }],
      )
      assert.deepStrictEqual(yield* sql`SELECT * FROM products`.values, [[1, 5]])
      assert.deepStrictEqual(yield* sql`SELECT * FROM products`.unprepared, [
        { productId: 1, unitPrice: 5 },
      ])
      assert.deepStrictEqual(yield* sql`UPDATE products SET unit_price = 6`.raw, {
        changes: 1,
        lastInsertRowid: 1,
      })
      assert.deepStrictEqual(yield* sql`DELETE FROM products`, [])
      assert.deepStrictEqual(yield* sql`SELECT * FROM products`.raw, [])
    }),
  )

  it.effect("a statement of the same text sees columns that were added since", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1)
      const all = sql`SELECT * FROM rows`
      assert.deepStrictEqual(yield* all, [{ id: 1, text: "row 1" }])
      yield* sql`ALTER TABLE rows ADD COLUMN more`
      assert.deepStrictEqual(yield* all, [{ id: 1, text: "row 1", more: null }])
    }),
  )

  it("keeps as many prepared statements as it is told, those used last", () => {
    const database = new Database({
      filename: ":memory:",
      isReadOnly: false,
      busyMillis: 0,
      synchronous: "full",
      isLogged: true,
      prepared: 3,
      spanAttributes: undefined,
      transformQueryNames: undefined,
      transformResultNames: undefined,
    })
    const ask = (i: number) =>
      database.rows({ sql: `SELECT ${i} AS i`, values: [], areBigInts: false }, true)
    for (let i = 0; i < 100; i++) {
      assert.deepStrictEqual(ask(i), [{ i }])
      assert.isAtMost(database.kept, 3)
    }
    database.close()
    assert.strictEqual(database.kept, 0)
  })
})

describe("transactions", () => {
  it.effect("commit together, roll back together; savepoints alone", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(0)
      const add = (id: number) => sql`INSERT INTO rows VALUES (${id}, 'x')`
      yield* sql.withTransaction(Effect.andThen(add(101), add(102)))
      yield* Effect.exit(sql.withTransaction(Effect.andThen(add(103), Effect.fail("no"))))
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* add(104)
          yield* Effect.exit(sql.withTransaction(Effect.andThen(add(105), Effect.fail("no"))))
          yield* sql.withTransaction(add(106))
        }),
      )
      const ids = yield* sql<{ id: number }>`SELECT id FROM rows ORDER BY id`
      assert.deepStrictEqual(
        ids.map(({ id }) => id).filter((id) => id > 100),
        [101, 102, 104, 106],
      )
    }),
  )

  it.effect("afterCommit runs after the outermost commit, and not after a roll-back", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1)
      const told: Array<string> = []
      const tell = (what: string) => sql.afterCommit(Effect.sync(() => void told.push(what)))
      yield* tell("at once")
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql.withTransaction(tell("nested"))
          yield* Effect.exit(sql.withTransaction(Effect.andThen(tell("dropped"), Effect.fail(1))))
          yield* tell("outer")
          assert.deepStrictEqual(told, ["at once"])
        }),
      )
      yield* Effect.exit(sql.withTransaction(Effect.andThen(tell("never"), Effect.fail(1))))
      assert.deepStrictEqual(told, ["at once", "nested", "outer"])
    }),
  )

  it.effect("others wait for it, and see nothing of it before", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1)
      const inside = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const transaction = sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`DELETE FROM rows`
          yield* Deferred.succeed(inside, undefined)
          yield* Deferred.await(go)
          yield* sql`INSERT INTO rows VALUES (7, 'seven')`
        }),
      )
      const running = yield* Effect.forkChild(transaction, { startImmediately: true })
      yield* Deferred.await(inside)
      const other = yield* Effect.forkChild(counted(sql), { startImmediately: true })
      const another = yield* client({ filename: sql.filename })
      assert.strictEqual(yield* counted(another), 1)
      assert.isUndefined(other.pollUnsafe())
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(running)
      assert.strictEqual(yield* Fiber.join(other), 1)
    }),
  )

  it.effect("one that is interrupted is rolled back, and the connection is free", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(3)
      const never = sql.withTransaction(Effect.andThen(sql`DELETE FROM rows`, Effect.never))
      const running = yield* Effect.forkChild(never, { startImmediately: true })
      yield* Fiber.interrupt(running)
      assert.strictEqual(yield* counted(sql), 3)
    }),
  )

  it.effect("a COMMIT that fails is rolled back, and the connection is free", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1)
      yield* sql`CREATE TABLE parts (of INTEGER REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED)`
      const exit = yield* Effect.exit(sql.withTransaction(sql`INSERT INTO parts VALUES (99)`))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* sql.withTransaction(counted(sql)), 1)
      assert.deepStrictEqual(yield* sql`SELECT * FROM parts`, [])
    }),
  )
})

/** What a descriptor is open on; one of another test may have been closed since. */
const linkOf = (path: string): string => {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ""
  }
}

describe("streams", () => {
  it.effect(
    "read as the consumer asks, while other statements run, and see what was committed at their begin",
    () =>
      Effect.gen(function* () {
        const sql = yield* withRows(1_000)
        const seen: Array<number> = []
        yield* sql<{ id: number }>`SELECT id FROM rows ORDER BY id`.stream.pipe(
          Stream.mapEffect(({ id }) =>
            Effect.gen(function* () {
              seen.push(id)
              yield* sql.withTransaction(sql`DELETE FROM rows WHERE id = ${id}`)
            }),
          ),
          Stream.runDrain,
        )
        assert.deepStrictEqual(
          seen,
          Array.from({ length: 1_000 }, (_, i) => i + 1),
        )
        assert.strictEqual(yield* counted(sql), 0)
      }),
  )

  it.effect("do not read what nobody asks for: a table without an end", () =>
    Effect.gen(function* () {
      const sql = yield* client()
      const endless = sql<{ i: number }>`WITH RECURSIVE n(i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`.stream
      const first = endless.pipe(Stream.take(1_000), Stream.runCollect)
      assert.strictEqual((yield* first).length, 1_000)
      assert.strictEqual((yield* sql.withTransaction(first)).at(-1)?.i, 1_000)
    }),
  )

  it.effect("in a transaction see its own changes, and statements run between", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(300)
      const read = sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`UPDATE rows SET text = 'new'`
          const rows = sql<{ text: string }>`SELECT text FROM rows`.stream
          return yield* Stream.runFold(
            Stream.mapEffect(rows, ({ text }) => Effect.as(sql`SELECT 1`, text)),
            () => new Set<string>(),
            (all, text) => all.add(text),
          )
        }),
      )
      assert.deepStrictEqual([...(yield* read)], ["new"])
    }),
  )

  it.effect("of a database in memory, and of a statement that writes, give all rows", () =>
    Effect.gen(function* () {
      for (const options of [{ filename: ":memory:" }, {}]) {
        const sql = yield* withRows(300, options)
        const all = yield* Stream.runCollect(sql`SELECT id FROM rows`.stream)
        assert.strictEqual(all.length, 300)
        const deleted = yield* Stream.runCollect(sql`DELETE FROM rows RETURNING id`.stream)
        assert.strictEqual(deleted.length, 300)
        assert.strictEqual(yield* counted(sql), 0)
      }
    }),
  )

  it.effect("end with the reason of their statement", () =>
    Effect.gen(function* () {
      const sql = yield* client()
      const read = Stream.runDrain(sql`SELECT * FROM missing`.stream)
      assert.include((yield* reasonOf(read)).message ?? "", "no such table: missing")
    }),
  )

  it.effect("leave nothing open when the consumer has enough", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1_000)
      const one = Stream.runDrain(Stream.take(sql`SELECT * FROM rows`.stream, 1))
      const open = () =>
        fs
          .readdirSync("/proc/self/fd")
          .filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(sql.filename)).length
      const before = open()
      yield* Effect.forEach([1, 2, 3, 4, 5], () => one)
      // SQLite keeps one for its next connection.
      assert.isAtMost(open(), before + 1)
      // A reading that has not ended would keep the log as it is.
      yield* sql.withTransaction(Effect.andThen(one, sql`DELETE FROM rows`))
      const [row] = yield* sql<{ busy: number }>`PRAGMA wal_checkpoint(TRUNCATE)`
      assert.strictEqual(row?.busy, 0)
    }),
  )
})

describe("errors", () => {
  it.effect("have the reason that effect's other drivers give", () =>
    Effect.gen(function* () {
      const sql = yield* client()
      yield* sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER CHECK (n > 0))`
      yield* sql`INSERT INTO t VALUES (1, 'a', 1)`
      const unique = yield* reasonOf(sql`INSERT INTO t VALUES (2, 'a', 1)`)
      assert.deepStrictEqual([unique._tag, unique.isRetryable], ["UniqueViolation", false])
      assert.strictEqual(unique._tag === "UniqueViolation" && unique.constraint, "t.name")
      const check = yield* reasonOf(sql`INSERT INTO t VALUES (3, 'c', 0)`)
      assert.strictEqual(check._tag, "ConstraintError")
      const syntax = yield* reasonOf(sql`SELEKT 1`)
      assert.include(syntax.message ?? "", 'near "SELEKT"')
    }),
  )

  it.live("another connection that writes is waited for, without blocking the process", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1)
      const other = new DatabaseSync(sql.filename)
      other.exec("BEGIN IMMEDIATE")
      let turns = 0
      const ticking = Effect.forever(
        Effect.andThen(
          Effect.sleep("5 millis"),
          Effect.sync(() => (turns += 1)),
        ),
      )
      yield* Effect.forkScoped(ticking)
      const plain = yield* Effect.forkScoped(sql`UPDATE rows SET text = 'plain'`)
      const inTransaction = yield* Effect.forkScoped(sql.withTransaction(sql`DELETE FROM rows`))
      yield* Effect.sleep("150 millis")
      assert.isUndefined(plain.pollUnsafe())
      assert.isAbove(turns, 5)
      other.exec("COMMIT")
      other.close()
      yield* Fiber.join(plain)
      yield* Fiber.join(inTransaction)
      assert.strictEqual(yield* counted(sql), 0)
    }),
  )

  it.live("after busyTimeout it is LockTimeoutError, which a caller may retry", () =>
    Effect.gen(function* () {
      const sql = yield* withRows(1, { busyTimeout: "50 millis" })
      const other = new DatabaseSync(sql.filename)
      other.exec("BEGIN IMMEDIATE")
      const reason = yield* reasonOf(sql`DELETE FROM rows`)
      assert.deepStrictEqual([reason._tag, reason.isRetryable], ["LockTimeoutError", true])
      other.close()
      yield* sql`DELETE FROM rows`
    }),
  )

  it.live(
    "a transaction that began with a read, before another's write, fails at once: waiting cannot help",
    () =>
      Effect.gen(function* () {
        const sql = yield* withRows(1)
        const began = performance.now()
        const late = Effect.gen(function* () {
          yield* counted(sql)
          const other = new DatabaseSync(sql.filename)
          other.exec("DELETE FROM rows")
          other.close()
          yield* sql`INSERT INTO rows VALUES (9, 'late')`
        })
        const deferred = Effect.provideService(
          sql.withTransaction(late),
          SqlClient.BeginTransaction,
          "BEGIN",
        )
        assert.strictEqual((yield* reasonOf(deferred))._tag, "LockTimeoutError")
        assert.isBelow(performance.now() - began, 2_500)
      }),
  )

  it.effect("a file that cannot be opened fails the layer with its path", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = `${folder}/missing/app.db`
      const reason = yield* reasonOf(client({ filename }))
      assert.strictEqual(reason._tag, "ConnectionError")
      assert.include(reason.message ?? "", `${filename} cannot be opened`)
    }),
  )

  it.effect("read-only: reads, refuses writes, and makes no file", () =>
    Effect.gen(function* () {
      const { filename } = yield* withRows(2)
      const sql = yield* client({ filename, readonly: true })
      assert.strictEqual(yield* counted(sql), 2)
      assert.include((yield* reasonOf(sql`DELETE FROM rows`)).message ?? "", "readonly")
      const missing = yield* temporaryFile
      assert.strictEqual(
        (yield* reasonOf(client({ filename: missing, readonly: true })))._tag,
        "ConnectionError",
      )
    }),
  )

  it.effect("a closed client says so", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const sql = yield* Scope.provide(withRows(1), scope)
      yield* Scope.close(scope, Exit.void)
      for (const use of [
        sql`SELECT 1`,
        sql.withTransaction(Effect.void),
        Stream.runDrain(sql`SELECT 1`.stream),
      ]) {
        const reason = yield* reasonOf<unknown, never>(use)
        assert.deepStrictEqual(
          [reason._tag, reason.message],
          ["ConnectionError", "SQLite: the client is closed"],
        )
      }
    }),
  )
})

describe("what effect builds on it", () => {
  it.live("PersistedQueue: what was offered in a transaction that rolled back was not", () =>
    Effect.gen(function* () {
      const sql = yield* client()
      const layer = PersistedQueue.layer.pipe(
        Layer.provide(PersistedQueue.layerStoreSql({ pollInterval: "20 millis" })),
        Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)),
      )
      yield* Effect.gen(function* () {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Schema.Finite })
        yield* Effect.exit(sql.withTransaction(Effect.andThen(queue.offer(1), Effect.fail("no"))))
        yield* sql.withTransaction(queue.offer(2))
        yield* queue.offer(3)
        const taken = yield* Effect.forEach([1, 2], () => queue.take(Effect.succeed))
        assert.deepStrictEqual(taken.toSorted(), [2, 3])
      }).pipe(Effect.provide(layer))
    }),
  )

  it.effect("KeyValueStore: what is set is there after the client was closed", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const store = <A, E>(use: (store: KeyValueStore.KeyValueStore) => Effect.Effect<A, E>) =>
        Effect.flatMap(KeyValueStore.KeyValueStore, use).pipe(
          Effect.provide(KeyValueStore.layerSql()),
          Effect.provide(NodeSqliteClient.layer({ filename }), { local: true }),
        )
      yield* store((kv) => kv.set("a", "1"))
      assert.strictEqual(yield* store((kv) => kv.get("a")), "1")
      assert.strictEqual(yield* store((kv) => kv.size), 1)
    }),
  )

  it.effect("Reactivity: an invalidation in a transaction is told of after its commit", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const reactivity = yield* Reactivity.Reactivity
      const filename = yield* temporaryFile
      const sql = yield* NodeSqliteClient.make({ filename })
      reactivity.registerUnsafe(["products"], () => void told.push("products"))
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* Reactivity.invalidate(["products"])
          assert.deepStrictEqual(told, [])
        }),
      )
      assert.deepStrictEqual(told, ["products"])
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})

it.live(
  "a process that is killed loses nothing that it was told is committed",
  () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const script = fileURLToPath(new URL("support/sqlWriter.ts", import.meta.url))
      const child = spawn(process.execPath, [script, filename])
      let told = 0
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        for (const line of text.split("\n")) if (line !== "") told = Math.max(told, Number(line))
      })
      yield* Effect.repeat(Effect.sleep("10 millis"), { until: () => told > 100 })
      child.kill("SIGKILL")
      yield* Effect.promise(() => new Promise((resolve) => child.once("close", resolve)))
      const sql = yield* client({ filename })
      const [row] = yield* sql<{ n: number }>`SELECT max(n) AS n FROM written`
      assert.isAtLeast(row?.n ?? 0, told)
    }),
  30_000,
)

describe("invalid options", () => {
  const cases: ReadonlyArray<readonly [object, string]> = [
    [{}, 'filename must be a path, such as "./app.db", got undefined'],
    [{ filename: "" }, "filename must be a path"],
    [{ filename: "a\0b" }, "filename must be a path"],
    [{ filename: "a", readonly: "no" }, 'readonly must be a boolean, got "no"'],
    [{ filename: "a", disableWAL: 1 }, "disableWAL must be a boolean, got 1"],
    [
      { filename: "a", synchronous: "some" },
      'synchronous must be "off", "normal" or "full", got "some"',
    ],
    [
      { filename: "a", prepareCacheSize: 0 },
      "prepareCacheSize must be an integer of at least 1, got 0",
    ],
    [{ filename: "a", busyTimeout: Infinity }, "busyTimeout must be a finite duration"],
    [
      { filename: "a", busyTimeout: "soon" },
      'busyTimeout must be a finite duration of at least 0, such as "5 seconds", got "soon"',
    ],
    [{ filename: "a", transformResultNames: "camel" }, "transformResultNames must be a function"],
    [{ filename: "a", transformQueryNames: 5 }, "transformQueryNames must be a function"],
    [{ filename: "a", spanAttributes: 5 }, "spanAttributes must be an object of attributes"],
    [
      { filename: "a", busytimeout: 5 },
      "busytimeout is an unknown option; did you mean `busyTimeout`?",
    ],
  ]
  for (const [options, text] of cases) {
    it.effect(`the layer dies: ${text}`, () =>
      Effect.gen(function* () {
        const layer = NodeSqliteClient.layer(options as NodeSqliteClient.Options)
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, InvalidOptions)
        assert.include(error.message, `NodeSqliteClient: ${text}`)
      }),
    )
  }
})
