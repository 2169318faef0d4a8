/** The database as a connection of Effect's SqlClient. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { busyPauseMillis, longestBusyPauseMillis, rowsPerChunk } from "../limits.ts"
import { type Call, type Database, plain } from "./database.ts"
import { failed, isBusy, isReadOnly, unsupported, unusable } from "./failure.ts"
import type { Settings } from "./options.ts"
import { parametersOf } from "./parameters.ts"

type TransformRows = Parameters<Connection["execute"]>[2]

const monotonicMillis = Effect.clockWith((clock) =>
  Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000),
)

/** What a statement threw, until it is known whether to run it again. */
type Attempt<A> = { readonly value: A } | { readonly cause: unknown }

const attempt = <A>(run: () => A): Attempt<A> => {
  try {
    return { value: run() }
  } catch (cause) {
    return { cause }
  }
}

/**
 * Runs a step, and again while another connection writes: a step that met one has done nothing. The
 * wait does not block the process, as SQLite's own would.
 */
export const waiting = <A>(
  operation: string,
  busyMillis: number,
  run: () => A,
): Effect.Effect<A, SqlError> =>
  Effect.suspend(() => {
    const first = attempt(run)
    if ("value" in first) return Effect.succeed(first.value)
    if (!isBusy(first.cause) || busyMillis === 0) return Effect.fail(failed(operation, first.cause))
    return Effect.flatMap(monotonicMillis, (began) => {
      const again = (pause: number): Effect.Effect<A, SqlError> =>
        Effect.flatMap(Effect.andThen(Effect.sleep(pause), monotonicMillis), (now) => {
          const next = attempt(run)
          if ("value" in next) return Effect.succeed(next.value)
          if (!isBusy(next.cause) || now - began >= busyMillis) {
            return Effect.fail(failed(operation, next.cause))
          }
          return again(Math.min(2 * pause, longestBusyPauseMillis))
        })
      return again(busyPauseMillis)
    })
  })

const callOf = (
  operation: string,
  sql: string,
  params: ReadonlyArray<unknown>,
): Effect.Effect<Call, SqlError> =>
  Effect.flatMap(SqlClient.SafeIntegers, (areBigInts) => {
    const values = parametersOf(params)
    return typeof values === "string"
      ? Effect.fail(unsupported(operation, values))
      : Effect.succeed({ sql, values, areBigInts })
  })

const closed = (operation: string): SqlError =>
  unusable(operation, "SQLite: the client is closed", new Error("the client is closed"))

/** Up to a chunk of rows; fewer are the last. */
const chunkOf = (iterator: Iterator<unknown>): Array<unknown> => {
  const rows: Array<unknown> = []
  while (rows.length < rowsPerChunk) {
    const next = iterator.next()
    if (next.done === true) break
    rows.push(plain(next.value))
  }
  return rows
}

const transformed = (rows: ReadonlyArray<unknown>, transform: TransformRows) =>
  transform === undefined ? rows : transform(rows as ReadonlyArray<object>)

/** A reading that has begun: its first rows tell whether the statement can run at all. */
const beginning = (database: Database, call: Call) => {
  const iterator = database.iterate(call)
  return { iterator, first: chunkOf(iterator) }
}

/** The rows of a statement as the consumer asks for them. */
const rowsOf = (database: Database, call: Call, transform: TransformRows, busyMillis: number) => {
  const page = (rows: ReadonlyArray<unknown>) =>
    [
      transformed(rows, transform),
      rows.length < rowsPerChunk ? Option.none() : Option.some(undefined),
    ] as const
  const reading = Effect.acquireRelease(
    waiting("executeStream", busyMillis, () => beginning(database, call)),
    // A reading that is not ended holds the state that it reads in the log.
    ({ iterator }) => Effect.sync(() => attempt(() => iterator.return?.())),
  )
  return Stream.unwrap(
    Effect.map(reading, ({ first, iterator }) =>
      Stream.paginate<ReadonlyArray<unknown> | undefined, unknown, SqlError>(first, (known) =>
        known === undefined
          ? // Not again: the rows that were read before a failure would be missing.
            Effect.map(
              waiting("executeStream", 0, () => chunkOf(iterator)),
              page,
            )
          : Effect.succeed(page(known)),
      ),
    ),
  )
}

/** The connection that all statements share; inside a transaction, that of the transaction. */
export const connectionOf = (database: Database, { busyMillis }: Settings): Connection => {
  const run = <A>(
    operation: string,
    sql: string,
    params: ReadonlyArray<unknown>,
    how: (call: Call) => A,
  ): Effect.Effect<A, SqlError> =>
    Effect.flatMap(callOf(operation, sql, params), (call) =>
      database.isOpen
        ? waiting(operation, busyMillis, () => how(call))
        : Effect.fail(closed(operation)),
    )
  const rows = (isKept: boolean): Connection["execute"] => {
    const operation = isKept ? "execute" : "executeUnprepared"
    return (sql, params, transform) =>
      Effect.map(
        run(operation, sql, params, (call) => database.rows(call, isKept)),
        (found) => transformed(found, transform),
      )
  }
  const arrays = (isKept: boolean): Connection["executeValues"] => {
    const operation = isKept ? "executeValues" : "executeValuesUnprepared"
    return (sql, params) => run(operation, sql, params, (call) => database.arrays(call, isKept))
  }
  return {
    execute: rows(true),
    executeUnprepared: rows(false),
    executeValues: arrays(true),
    executeValuesUnprepared: arrays(false),
    executeRaw: (sql, params) => run("executeRaw", sql, params, (call) => database.raw(call)),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(
        Effect.map(callOf("executeStream", sql, params), (call) =>
          database.isOpen
            ? rowsOf(database, call, transform, busyMillis)
            : Stream.fail(closed("executeStream")),
        ),
      ),
  }
}

/**
 * The connection of a stream outside of a transaction: one of its own, so that statements run while the
 * stream is read. Where there is none (no file, or a statement that writes), all rows are read at once.
 */
export const streamingOf = (
  database: Database,
  settings: Settings,
  shared: <A>(
    use: (connection: Connection) => Effect.Effect<A, SqlError>,
  ) => Effect.Effect<A, SqlError>,
): Connection => {
  const atOnce = (...call: Parameters<Connection["execute"]>) =>
    Stream.unwrap(
      Effect.map(
        shared((connection) => connection.execute(...call)),
        (rows) => Stream.fromIterable(rows),
      ),
    )
  const open = Effect.acquireRelease(
    waiting("executeStream", settings.busyMillis, () => database.reader(settings)),
    (reader) => Effect.sync(() => reader?.close()),
  )
  return {
    execute: (...call) => shared((connection) => connection.execute(...call)),
    executeRaw: (...call) => shared((connection) => connection.executeRaw(...call)),
    executeValues: (...call) => shared((connection) => connection.executeValues(...call)),
    executeUnprepared: (...call) => shared((connection) => connection.executeUnprepared(...call)),
    executeValuesUnprepared: (...call) =>
      shared((connection) => connection.executeValuesUnprepared(...call)),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(
        Effect.gen(function* () {
          if (!database.isOpen) return Stream.fail(closed("executeStream"))
          const call = yield* callOf("executeStream", sql, params)
          const reader = yield* open
          if (reader === undefined) return atOnce(sql, params, transform)
          return Stream.catchIf(
            rowsOf(reader, call, transform, settings.busyMillis),
            ({ reason }) => isReadOnly(reason.cause),
            () => atOnce(sql, params, transform),
          )
        }),
      ),
  }
}
