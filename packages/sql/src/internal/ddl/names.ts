/** The names of a change table and of what goes with it. */
import { InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"

const pattern = /^[a-z_][a-z0-9_]{0,39}$/

export const defaultName = "larder_change"

/** Names that need no quotes, and leave room for those that are made of them. */
export const nameOf = (
  field: string,
  given: unknown,
  byDefault: string,
): Result.Result<string, InvalidOptions> => {
  const name = given ?? byDefault
  if (typeof name === "string" && pattern.test(name)) return Result.succeed(name)
  const must = `be 1 to 40 lower-case letters, digits and underscores, such as "${byDefault}"`
  return Result.fail(InvalidOptions.of({ module: "ChangeTable", field, must, got: name }))
}

/** The tables: changes, what is known of all of them, and the positions of consumers. */
export interface Tables {
  readonly name: string
  readonly changes: string
  readonly state: string
  readonly positions: string
}

export const tablesOf = (name: string, schema?: string): Tables => {
  const prefix = schema === undefined ? "" : `${schema}.`
  return {
    name,
    changes: `${prefix}${name}`,
    state: `${prefix}${name}_state`,
    positions: `${prefix}${name}_position`,
  }
}

export const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`

/** A table's name, perhaps with its schema before a point. */
export const quotedTable = (table: string): string => table.split(".").map(quoted).join(".")

export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** FNV-1a, so that two tables of similar names get triggers of different ones. */
const hashOf = (value: string): string => {
  let hash = 0x811c9dc5
  for (const unit of new TextEncoder().encode(value)) {
    hash = Math.imul(hash ^ unit, 0x01000193)
  }
  return (hash >>> 0).toString(16).padStart(8, "0")
}

/** The name of what one table's triggers have in common. Postgres cuts names after 63 bytes. */
export const triggerOf = (name: string, table: string, larder: string): string => {
  const readable = table.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")
  return `${name.slice(0, 20)}_${readable.slice(0, 20)}_${hashOf(`${name} ${table} ${larder}`)}`
}
