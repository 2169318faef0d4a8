import type { Invalidations } from "@larder/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { ChangeTable } from "@larder/sql"

/** Texts of changes: `gap`, `clear prices`, `prices a,b tags x`. */
export const shown = (change: Invalidations.Change): string => {
  if (change._tag !== "Change") return change._tag === "Gap" ? "gap" : `malformed ${change.reason}`
  const { clear, keys = [], larder, tags = [] } = change.message
  if (clear === true) return `clear ${larder}`
  const tagged = tags.length === 0 ? "" : ` tags ${tags.toSorted().join()}`
  return `${larder} ${keys.toSorted().join()}${tagged}`
}

/** Lets time pass in steps, in each of which fibers have several turns: a look takes some. */
export const pass = (millis: number): Effect.Effect<void> => {
  const turns = Effect.repeat(Effect.yieldNow, { times: 20 })
  const step = Math.max(100, millis / 50)
  const one = Effect.andThen(TestClock.adjust(step), turns)
  const steps = Effect.repeat(one, { times: Math.ceil(millis / step) })
  return Effect.asVoid(Effect.andThen(turns, steps))
}

export const on =
  (sql: SqlClient.SqlClient) =>
  <A, E, R>(effect: Effect.Effect<A, E, R | SqlClient.SqlClient>) =>
    Effect.provideService(effect, SqlClient.SqlClient, sql)

/** A feed that runs in the scope of the test, and what it has given. */
export const running = (sql: SqlClient.SqlClient, options: ChangeTable.StreamOptions = {}) =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    const fiber = yield* ChangeTable.stream(options).pipe(
      Stream.runForEach((change) => Effect.sync(() => void heard.push(shown(change)))),
      on(sql),
      Effect.forkScoped({ startImmediately: true }),
    )
    const stop = Fiber.interrupt(fiber)
    return { heard, fiber, stop, end: Fiber.await(fiber) }
  })

/** The next changes of a run that ends after them. */
export const taken = (
  sql: SqlClient.SqlClient,
  count: number,
  options: ChangeTable.StreamOptions = {},
) =>
  ChangeTable.stream(options).pipe(
    Stream.take(count),
    Stream.map(shown),
    Stream.runCollect,
    on(sql),
  )

export const diedOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
