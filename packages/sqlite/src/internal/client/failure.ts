/** Errors of `node:sqlite` as those of a SQL client. */
import { ConnectionError, classifySqliteError, SqlError, UnknownError } from "effect/sql/SqlError"

/** The result code of SQLite with its extension; undefined for an error that is not SQLite's. */
export const codeOf = (cause: unknown): number | undefined =>
  cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number"
    ? cause.errcode
    : undefined

const primaryOf = (cause: unknown): number => (codeOf(cause) ?? 0) & 0xff

/** A transaction that began with a read has an older state than the file: waiting does not help. */
const busySnapshot = 517

/** Another connection writes, and ends in a moment. */
export const isBusy = (cause: unknown): boolean =>
  (primaryOf(cause) === 5 || primaryOf(cause) === 6) && codeOf(cause) !== busySnapshot

/** The connection is one for reading only. */
export const isReadOnly = (cause: unknown): boolean => primaryOf(cause) === 8

const hasCode = (cause: unknown, code: string): boolean =>
  cause instanceof Error && "code" in cause && cause.code === code

const remedyOf = (cause: unknown): string =>
  hasCode(cause, "ERR_OUT_OF_RANGE")
    ? "; provide SqlClient.SafeIntegers with true to get integers as bigint"
    : ""

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Effect's classification reads the code from `errno`, as other drivers name it. */
const withNumber = (cause: unknown): unknown => {
  const code = codeOf(cause)
  return code === undefined ? cause : Object.assign(cause as Error, { errno: code })
}

export const failed = (operation: string, cause: unknown): SqlError => {
  const message = `SQLite: ${textOf(cause)}${remedyOf(cause)}`
  return new SqlError({ reason: classifySqliteError(withNumber(cause), { message, operation }) })
}

/** The file could not be opened, or the client was closed. */
export const unusable = (operation: string, message: string, cause: unknown): SqlError =>
  new SqlError({ reason: new ConnectionError({ cause, message, operation }) })

export const unsupported = (operation: string, message: string): SqlError =>
  new SqlError({ reason: new UnknownError({ cause: new Error(message), message, operation }) })
