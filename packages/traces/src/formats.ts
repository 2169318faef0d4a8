/** The formats of recordings: how to parse one line of each. */

export type Parsed =
  | { readonly _tag: "Read"; readonly key: string }
  /** A request that no cache answers, such as a POST. */
  | { readonly _tag: "NoRead" }
  | { readonly _tag: "Unreadable" }

const noRead: Parsed = { _tag: "NoRead" }
const unreadable: Parsed = { _tag: "Unreadable" }

export interface Format {
  readonly name: string
  readonly parse: (line: string) => Parsed
}

/** host ident user [time] "request" status bytes; Combined Log Format adds referrer and user agent. */
const logLine = /^\S+ \S+ .+? \[[^\]]+\] "((?:[^"\\]|\\.)*)" \d{3} (?:\d+|-)(?: |$)/
const requestLine = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/

/** Common or Combined Log Format. The key is the target of a GET or HEAD, query included. */
export const accessLog: Format = {
  name: "access log",
  parse: (line) => {
    const [, request = ""] = logLine.exec(line) ?? []
    const [, method, target] = requestLine.exec(request) ?? []
    if (target === undefined) return unreadable
    return method === "GET" || method === "HEAD" ? { _tag: "Read", key: target } : noRead
  },
}

const mostKeyLength = 4_096
// eslint-disable-next-line no-control-regex -- text contains none of these characters
const notText = /[\u0000-\u0008\u000B-\u001F\uFFFD]/

/** One key per line, unchanged. */
export const keys: Format = {
  name: "one key per line",
  parse: (line) =>
    line.length <= mostKeyLength && !notText.test(line) ? { _tag: "Read", key: line } : unreadable,
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The object in a line of JSON, if there is one. */
export const recordIn = (line: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The value of a field, by its name or by a path such as `request.uri`. */
const at = (record: Readonly<Record<string, unknown>>, field: string): unknown => {
  if (Object.hasOwn(record, field)) return record[field]
  return field
    .split(".")
    .reduce<unknown>(
      (value, name) => (isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined),
      record,
    )
}

/** JSON lines: the key is the text or number in a field. */
export const jsonLines = (field: string): Format => ({
  name: `JSON lines, field ${field}`,
  parse: (line) => {
    const record = recordIn(line)
    const value = record === undefined ? undefined : at(record, field)
    if (typeof value === "number") return { _tag: "Read", key: String(value) }
    return typeof value === "string" && value !== "" ? { _tag: "Read", key: value } : unreadable
  },
})

/** The fields of the JSON objects, if most of the lines are JSON objects; else undefined. */
export const fieldsOf = (lines: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const records = lines.flatMap((line) => recordIn(line) ?? [])
  return 2 * records.length > lines.length ? Object.keys(records[0]!) : undefined
}

/** Guesses the format from the first lines of a file without JSON objects. */
export const formatOf = (lines: ReadonlyArray<string>): Format => {
  const logged = lines.filter((line) => accessLog.parse(line)._tag !== "Unreadable")
  return 2 * logged.length > lines.length ? accessLog : keys
}
