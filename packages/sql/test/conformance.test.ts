/** Outboxes in a database keep the contract, in SQLite and in Postgres. */
import { PgClient } from "@effect/sql-pg"
import { NodeSqliteClient } from "@larder/sqlite"
import { OutboxConformance } from "@larder/testing"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"
import * as SqlOutbox from "../src/SqlOutbox.ts"
import { postgresSuite } from "./support/withPostgres.ts"

OutboxConformance.suite({
  name: "SqlOutbox on SQLite",
  layer: SqlOutbox.layer().pipe(Layer.provide(NodeSqliteClient.layer({ filename: ":memory:" }))),
})

postgresSuite("SqlOutbox on Postgres", () => {
  const scope = Scope.makeUnsafe()
  let url = ""
  beforeAll(async () => {
    const server = await Effect.runPromise(Scope.provide(PostgresServer.start(), scope))
    url = server.url
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  // The tests share a database, as two applications may: names of outboxes keep them apart.
  OutboxConformance.suite({
    name: "the outboxes",
    time: "real",
    layer: Layer.suspend(() =>
      SqlOutbox.layer().pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) }))),
    ),
  })
})
