/** A change table in a real Postgres, and law 29: nothing that was committed is missed. */
import type { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { ChangeTable } from "@larder/sql"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { on, running, taken } from "./support/feeds.ts"
import { clientOf, postgresSuite, server } from "./support/withPostgres.ts"

const tables: ReadonlyArray<ChangeTable.Watched> = [
  { table: "products", larder: "products", key: "id", tags: ["category"] },
]

const prepared = (url: string, options: Partial<ChangeTable.DdlOptions> = {}) =>
  Effect.gen(function* () {
    const pg = yield* clientOf(url)
    yield* pg`create table products (id text primary key, category text, price integer)`
    yield* on(pg)(ChangeTable.install({ tables, ...options }))
    return pg
  })

const add = (pg: PgClient.PgClient, id: string, category: string | null = null) =>
  pg`insert into products (id, category) values (${id}, ${category})`

/** Waits until the feed has given these. */
const gives = (heard: ReadonlyArray<string>, expected: ReadonlyArray<string>, millis = 15_000) =>
  Effect.gen(function* () {
    const began = performance.now()
    while (heard.length < expected.length && performance.now() - began < millis) {
      yield* Effect.sleep("5 millis")
    }
    assert.deepStrictEqual(heard, expected)
    return performance.now() - began
  })

/** A transaction that stays open after its change until it is told to end. */
const open = (pg: PgClient.PgClient, id: string, ends: "commits" | "rolls back" = "commits") =>
  Effect.gen(function* () {
    const inside = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    const body = Effect.gen(function* () {
      yield* add(pg, id)
      yield* Deferred.succeed(inside, undefined)
      yield* Deferred.await(go)
      if (ends === "rolls back") return yield* Effect.fail("rolled back" as const)
    })
    const fiber = yield* Effect.forkScoped(Effect.exit(pg.withTransaction(body)))
    yield* Deferred.await(inside)
    return { end: Effect.andThen(Deferred.succeed(go, undefined), Fiber.join(fiber)) }
  })

const soon = { pollInterval: "20 millis" } as const

postgresSuite("a change table in Postgres", () => {
  const { database } = server()

  const test = (
    title: string,
    body: (pg: PgClient.PgClient, url: string) => Effect.Effect<void, unknown, Scope.Scope>,
  ) =>
    it.live(
      title,
      () => Effect.flatMap(database, (url) => Effect.flatMap(prepared(url), (pg) => body(pg, url))),
      60_000,
    )

  test("triggers record the keys and tags of a statement together, and of a truncation everything", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, soon)
      yield* gives(heard, ["gap"])
      yield* pg`insert into products values ('a', 'x', 1), ('b', 'y', 1), ('c', null, 1)`
      yield* pg`update products set category = 'z' where id = 'a'`
      yield* pg`update products set id = 'd' where id = 'c'`
      yield* pg`update products set price = 2 where id = 'nobody'`
      yield* pg`delete from products where id = 'b'`
      yield* pg`truncate products`
      yield* gives(heard, [
        "gap",
        "products a,b,c tags x,y",
        "products a tags x,z",
        "products c,d",
        "products b tags y",
        "clear products",
      ])
    }))

  it.live(
    "a statement that changes more than maxKeys records that everything has changed; the statements may be run again",
    () =>
      Effect.gen(function* () {
        const pg = yield* prepared(yield* database, { maxKeys: 3 })
        yield* on(pg)(ChangeTable.install({ tables, maxKeys: 3 }))
        const { heard } = yield* running(pg, soon)
        yield* gives(heard, ["gap"])
        yield* pg`insert into products select i::text from generate_series(1, 3) i`
        yield* pg`insert into products select i::text from generate_series(4, 7) i`
        yield* gives(heard, ["gap", "products 1,2,3", "clear products"])
      }),
    60_000,
  )

  test("nothing of a transaction that rolled back; of one, in the order of its statements", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, soon)
      yield* gives(heard, ["gap"])
      yield* Effect.exit(pg.withTransaction(Effect.andThen(add(pg, "no"), Effect.fail("no"))))
      yield* pg.withTransaction(Effect.andThen(add(pg, "a"), add(pg, "b")))
      yield* gives(heard, ["gap", "products a", "products b"])
    }))

  test("a writer needs no rights on the change table; quotes in names are no trouble", (pg, url) =>
    Effect.gen(function* () {
      yield* pg`create table "Odd ""Names""" ("the id" integer primary key)`
      const odd = { table: 'Odd "Names"', larder: "it's odd", key: "the id" }
      yield* on(pg)(ChangeTable.install({ tables: [...tables, odd] }))
      yield* pg`create role clerk login`
      yield* pg`grant insert on products, "Odd ""Names""" to clerk`
      const { heard } = yield* running(pg, soon)
      yield* gives(heard, ["gap"])
      const clerk = yield* clientOf(url.replace("postgres@", "clerk@"))
      yield* add(clerk, "a")
      yield* clerk`insert into "Odd ""Names""" values (7)`
      yield* gives(heard, ["gap", "products a", "it's odd 7"])
    }))

  test("law 29: a transaction that takes its number first and commits last is not missed", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, soon)
      yield* gives(heard, ["gap"])
      const first = yield* open(pg, "first")
      yield* add(pg, "second")
      // A reader by number goes on from the second one.
      const seen = yield* pg<{ seq: string }>`select max(seq)::text as seq from larder_change`
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(heard, ["gap"])
      yield* first.end
      yield* gives(heard, ["gap", "products first", "products second"])
      const later = yield* pg`select 1 from larder_change where seq > ${seen[0]!.seq}::bigint`
      assert.strictEqual(later.length, 0)
    }))

  test("a change that waits for an older transaction is given once that ends, without a word of its own", (pg) =>
    Effect.gen(function* () {
      // It looks by itself once a minute only.
      const { heard } = yield* running(pg, { listen: pg.listen, pollInterval: "1 minute" })
      yield* gives(heard, ["gap"])
      const older = yield* open(pg, "older", "rolls back")
      yield* add(pg, "younger")
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual(heard, ["gap"])
      yield* older.end
      assert.isBelow(yield* gives(heard, ["gap", "products younger"]), 5_000)
    }))

  test("LISTEN wakes the reader", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, { listen: pg.listen, pollInterval: "1 minute" })
      yield* gives(heard, ["gap"])
      yield* Effect.sleep("200 millis")
      for (const [i, id] of ["a", "b", "c"].entries()) {
        yield* add(pg, id)
        const expected = ["gap", "products a", "products b", "products c"].slice(0, i + 2)
        assert.isBelow(yield* gives(heard, expected), 5_000)
      }
    }))

  test("law 29: a LISTEN that is lost is opened again, and what was told meanwhile is read from the position", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, { listen: pg.listen, pollInterval: "1 minute" })
      yield* gives(heard, ["gap"])
      const listeners = pg<{
        pid: number
      }>`select pid from pg_stat_activity where query ilike 'listen%'`
      while ((yield* listeners).length === 0) yield* Effect.sleep("10 millis")
      for (const id of ["a", "b"]) {
        // In one transaction: the word of it goes to nobody.
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* add(pg, id)
            yield* pg`select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'`
          }),
        )
        const expected = id === "a" ? ["gap", "products a"] : ["gap", "products a", "products b"]
        assert.isBelow(yield* gives(heard, expected), 10_000)
        while ((yield* listeners).length === 0) yield* Effect.sleep("10 millis")
      }
    }))

  test("the position outlives the run; deleted changes are a gap for who has not read them", (pg) =>
    Effect.gen(function* () {
      const first = yield* running(pg, { consumer: "a", ...soon })
      yield* gives(first.heard, ["gap"])
      yield* add(pg, "1")
      yield* gives(first.heard, ["gap", "products 1"])
      yield* Effect.sleep("300 millis")
      yield* first.stop
      yield* add(pg, "2")
      const again = { consumer: "a", ...soon }
      const second = yield* running(pg, again)
      yield* gives(second.heard, ["products 2"])
      yield* Effect.sleep("300 millis")
      yield* second.stop
      yield* add(pg, "3")
      assert.strictEqual(yield* on(pg)(ChangeTable.prune({ olderThan: 0 })), 3)
      assert.deepStrictEqual(yield* taken(pg, 1, again), ["gap"])
      yield* add(pg, "4")
      const none = yield* on(pg)(ChangeTable.prune({ olderThan: "1 hour" }))
      assert.strictEqual(none, 0)
    }))

  test("a backup that lacks what was read, and another table of the name, are gaps", (pg) =>
    Effect.gen(function* () {
      const position = (tx: string) => JSON.stringify({ epoch: "e", tx, seq: "1" })
      yield* pg`update larder_change_state set epoch = 'e'`
      const keep = (text: string) =>
        pg`insert into larder_change_position values ('a', ${text})
          on conflict (consumer) do update set position = excluded.position`
      yield* keep(position("99999999"))
      assert.deepStrictEqual(yield* taken(pg, 1, { consumer: "a" }), ["gap"])
      yield* keep(position("3"))
      yield* pg`update larder_change_state set epoch = 'f'`
      assert.deepStrictEqual(yield* taken(pg, 1, { consumer: "a" }), ["gap"])
    }))

  test("law 29: of writers that commit in any order, none is missed and none is given twice", (pg) =>
    Effect.gen(function* () {
      const { heard } = yield* running(pg, { listen: pg.listen, pollInterval: "200 millis" })
      yield* gives(heard, ["gap"])
      const committed: Array<string> = []
      const write = (writer: number) =>
        Effect.gen(function* () {
          for (let i = 0; i < 15; i++) {
            const id = `${writer}-${i}`
            const isGood = (yield* Random.nextIntBetween(0, 4)) > 0
            const pause = Effect.flatMap(Random.nextIntBetween(0, 15), Effect.sleep)
            const body = add(pg, id).pipe(
              Effect.tap(pause),
              Effect.andThen(isGood ? Effect.void : Effect.fail("no")),
            )
            const exit = yield* Effect.exit(pg.withTransaction(body))
            if (exit._tag === "Success") committed.push(`products ${id}`)
          }
        })
      yield* Effect.forEach([1, 2, 3, 4, 5, 6], write, { concurrency: "unbounded" })
      const began = performance.now()
      while (heard.length <= committed.length && performance.now() - began < 10_000) {
        yield* Effect.sleep("10 millis")
      }
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual(heard.slice(1).toSorted(), committed.toSorted())
    }))

  test("the printed statements are undone by those of dropDdl", (pg) =>
    Effect.gen(function* () {
      for (const statement of ChangeTable.dropDdl("postgres", { tables }).split(";\n")) {
        if (statement.trim() !== "") yield* pg.unsafe(statement)
      }
      yield* add(pg, "a")
      const left = yield* pg`select relname from pg_class where relname like 'larder%'`
      const functions = yield* pg`select proname from pg_proc where proname like 'larder%'`
      assert.deepStrictEqual([left, functions], [[], []])
    }))
})

postgresSuite("a Postgres that crashes", () => {
  it.live(
    "law 29: the feed goes on from its position once the server is back",
    () =>
      Effect.gen(function* () {
        const server = yield* PostgresServer.start()
        const pg = yield* prepared(server.url)
        const { fiber, heard } = yield* running(pg, {
          listen: pg.listen,
          pollInterval: "100 millis",
        })
        yield* gives(heard, ["gap"])
        yield* add(pg, "before")
        yield* gives(heard, ["gap", "products before"])
        yield* server.kill
        yield* Effect.sleep("300 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* server.restart
        // Another program writes before the feed is connected again.
        const other = yield* clientOf(server.url)
        yield* add(other, "after")
        yield* gives(heard, ["gap", "products before", "products after"], 20_000)
      }).pipe(Effect.provide(Logger.layer([]))),
    60_000,
  )
})
