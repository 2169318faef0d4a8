/** `node sqlWriter.ts FILE`: writes numbers in transactions for ever, and prints each once it is committed. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as NodeSqliteClient from "../../src/NodeSqliteClient.ts"

const write = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE written (n INTEGER PRIMARY KEY)`
  for (let n = 1; ; n++) {
    yield* sql.withTransaction(sql`INSERT INTO written VALUES (${n})`)
    yield* Console.log(n)
  }
})

await Effect.runPromise(
  Effect.provide(write, NodeSqliteClient.layer({ filename: process.argv[2] ?? "" })),
)
