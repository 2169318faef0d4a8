import { PgClient } from "@effect/sql-pg"
import { describe } from "@effect/vitest"
import * as PostgresServer from "@larder/testing/PostgresServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"

/** Whether this machine has a Postgres that tests can start. */
export const hasPostgres: boolean = (await Effect.runPromise(PostgresServer.find)) !== undefined

/** A suite that talks to a real server; skipped where there is none, as the run's first lines then say. */
export const postgresSuite = (name: string, define: () => void): void => {
  describe.skipIf(!hasPostgres)(name, define)
}

export const clientOf = (url: string, options: Partial<PgClient.PgPoolConfig> = {}) =>
  Effect.map(Layer.build(PgClient.layer({ url: Redacted.make(url), ...options })), (context) =>
    Context.get(context, PgClient.PgClient),
  )

/** One server for a suite; each test gets a database of its own. */
export const server = () => {
  const scope = Scope.makeUnsafe()
  let running: PostgresServer.PostgresServer | undefined
  let made = 0
  beforeAll(async () => {
    running = await Effect.runPromise(Scope.provide(PostgresServer.start(), scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return {
    database: Effect.gen(function* () {
      const { port, url } = running!
      const admin = yield* clientOf(url, { maxConnections: 1 })
      made += 1
      yield* admin.unsafe(`create database test_${made}`)
      return `postgres://postgres@127.0.0.1:${port}/test_${made}`
    }),
  }
}
