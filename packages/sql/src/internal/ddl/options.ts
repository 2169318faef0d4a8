/** The options of the printed statements, checked. */
import { InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"
import { keysPerChange } from "../limits.ts"
import { defaultName, nameOf, quoted } from "./names.ts"

/**
 * A column by its name, or an expression of SQL over a row: `(row) => \`${row}.shop || '/' || ${row}.id\``.
 *
 * @category options
 * @since 0.1.0
 */
export type Column = string | ((row: string) => string)

/**
 * A table whose changes invalidate values of a larder.
 *
 * @category options
 * @since 0.1.0
 */
export interface Watched {
  /** The table, for Postgres perhaps with its schema: `"products"`, `"shop.products"`. */
  readonly table: string
  /** The name of the larder. */
  readonly larder: string
  /** The key of a row's value in the larder, as a text. */
  readonly key: Column
  /** Tags of a row's value: an update invalidates those from before it as well. NULL is none. */
  readonly tags?: ReadonlyArray<Column> | undefined
}

/**
 * Options of {@link ddl}.
 *
 * @category options
 * @since 0.1.0
 */
export interface DdlOptions {
  /** What is watched: one entry for each table and larder. */
  readonly tables: ReadonlyArray<Watched>
  /** The name of the change table. Others are made of it. Default `"larder_change"`. */
  readonly name?: string | undefined
  /** The schema of the change table in Postgres. Default `"public"`. */
  readonly schema?: string | undefined
  /**
   * The most keys, and tags, that one statement of Postgres records; one that changes more records that
   * everything has changed. An integer of at least 1. Default 1,000.
   */
  readonly maxKeys?: number | undefined
}

const names: Record<keyof DdlOptions, true> = {
  tables: true,
  name: true,
  schema: true,
  maxKeys: true,
}

const watchedNames: Record<keyof Watched, true> = {
  table: true,
  larder: true,
  key: true,
  tags: true,
}

export interface Settings {
  readonly tables: ReadonlyArray<Watched>
  readonly name: string
  readonly schema: string
  readonly maxKeys: number
}

const isColumn = (value: unknown): boolean =>
  typeof value === "function" || (typeof value === "string" && value !== "")

const invalid = (field: string, must: string, got: unknown) =>
  Result.fail(InvalidOptions.of({ module: "ChangeTable", field, must, got }))

const checkWatched = (watched: Watched, i: number): Result.Result<void, InvalidOptions> => {
  const within = `tables[${i}]`
  const given = { module: "ChangeTable", names: watchedNames, got: watched, within }
  const mistake = InvalidOptions.ofNames(given)
  if (mistake !== undefined) return Result.fail(mistake)
  const { key, larder, table, tags = [] } = watched
  const column = "be the name of a column, or a function of a row that returns an expression"
  if (typeof table !== "string" || table === "") {
    return invalid(`${within}.table`, 'be the name of a table, such as "products"', table)
  }
  if (typeof larder !== "string" || larder.trim() === "") {
    return invalid(`${within}.larder`, 'be the name of a larder, such as "app/Products"', larder)
  }
  if (!isColumn(key)) return invalid(`${within}.key`, column, key)
  if (!Array.isArray(tags) || !tags.every(isColumn)) {
    return invalid(`${within}.tags`, "be an array of columns", tags)
  }
  return Result.void
}

/** Checked. JavaScript bypasses the types, so they may be anything. */
export const settingsOf = (options: DdlOptions): Result.Result<Settings, InvalidOptions> =>
  Result.gen(function* () {
    const mistake = InvalidOptions.ofNames({ module: "ChangeTable", names, got: options })
    if (mistake !== undefined) return yield* Result.fail(mistake)
    const { maxKeys = keysPerChange, tables } = options
    const name = yield* nameOf("name", options.name, defaultName)
    const schema = yield* nameOf("schema", options.schema, "public")
    if (!Array.isArray(tables) || tables.length === 0) {
      const must = "be a non-empty array of tables with their larders"
      return yield* invalid("tables", must, tables)
    }
    for (const [i, watched] of tables.entries()) yield* checkWatched(watched as Watched, i)
    if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
      return yield* invalid("maxKeys", "be an integer of at least 1", maxKeys)
    }
    return { tables, name, schema, maxKeys }
  })

/** The expression of a column over a row. */
export const expression = (column: Column, row: string): string =>
  typeof column === "function" ? `(${column(row)})` : `${row}.${quoted(column)}`
