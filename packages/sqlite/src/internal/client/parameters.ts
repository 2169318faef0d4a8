/** The parameters of a statement as SQLite takes them. */
import type { SQLInputValue } from "node:sqlite"

const valueOf = (value: unknown): SQLInputValue | undefined => {
  if (value === undefined || value === null) return null
  switch (typeof value) {
    case "number":
      // `node:sqlite` stores every number as a real; in a column without a type it would stay one.
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case "boolean":
      return value ? 1 : 0
    case "string":
    case "bigint":
      return value
    case "object":
      if (value instanceof ArrayBuffer) return new Uint8Array(value)
      if (!ArrayBuffer.isView(value)) return undefined
      return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    default:
      return undefined
  }
}

/** The parameters, or the text of an error about one of them. */
export const parametersOf = (
  given: ReadonlyArray<unknown>,
): ReadonlyArray<SQLInputValue> | string => {
  const values: Array<SQLInputValue> = []
  for (const [i, one] of given.entries()) {
    const value = valueOf(one)
    // `node:sqlite` would take an object as the names of parameters with their values.
    if (value === undefined) {
      return `parameter ${i + 1} is of type ${typeof one}; encode it as a text, a number or bytes`
    }
    values.push(value)
  }
  return values
}
