/** One open database of the SQL client, with its prepared statements. Its methods throw. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import type { Settings } from "./options.ts"

type Row = Readonly<Record<string, unknown>>

/** What a statement that gives no rows did. */
export interface Changed {
  readonly changes: number | bigint
  readonly lastInsertRowid: number | bigint
}

/** A statement to run: its text, its parameters, and whether integers come as bigint. */
export interface Call {
  readonly sql: string
  readonly values: ReadonlyArray<SQLInputValue>
  readonly areBigInts: boolean
}

/** Rows of `node:sqlite` have no prototype, which makes them unequal to rows of other drivers. */
export const plain = (row: unknown): Row => ({ ...(row as Row) })

export class Database {
  readonly #database: DatabaseSync
  readonly #limit: number
  readonly #filename: string
  /** By text, the one used longest ago first. */
  readonly #prepared = new Map<string, StatementSync>()

  constructor({ filename, isLogged, isReadOnly, prepared, synchronous }: Settings) {
    this.#limit = prepared
    this.#filename = filename
    this.#database = new DatabaseSync(filename, { readOnly: isReadOnly, timeout: 0 })
    try {
      if (isReadOnly) this.#database.prepare("PRAGMA schema_version").get()
      else {
        const log = isLogged ? "PRAGMA journal_mode = WAL;" : ""
        this.#database.exec(`${log}PRAGMA synchronous = ${synchronous}`)
      }
    } catch (cause) {
      this.#database.close()
      throw cause
    }
  }

  get isOpen(): boolean {
    return this.#database.isOpen
  }

  get isTransaction(): boolean {
    return this.#database.isOpen && this.#database.isTransaction
  }

  /** The statements that are kept. */
  get kept(): number {
    return this.#prepared.size
  }

  rows(call: Call, isKept: boolean): ReadonlyArray<Row> {
    const statement = this.#of(call, isKept)
    if (statement.columns().length > 0) return statement.all(...call.values).map(plain)
    statement.run(...call.values)
    return []
  }

  /** Rows, or what a statement without rows did. */
  raw(call: Call): ReadonlyArray<Row> | Changed {
    const statement = this.#of(call, true)
    return statement.columns().length > 0
      ? statement.all(...call.values).map(plain)
      : statement.run(...call.values)
  }

  arrays(call: Call, isKept: boolean): ReadonlyArray<ReadonlyArray<unknown>> {
    const statement = this.#of(call, isKept)
    statement.setReturnArrays(true)
    try {
      if (statement.columns().length > 0) {
        return statement.all(...call.values) as unknown as ReadonlyArray<ReadonlyArray<unknown>>
      }
      statement.run(...call.values)
      return []
    } finally {
      statement.setReturnArrays(false)
    }
  }

  /** Reads row by row. The statement is its own: another use of it would end the reading. */
  iterate(call: Call): Iterator<unknown> {
    return this.#of(call, false).iterate(...call.values)
  }

  /** A connection for one reader, which sees what is committed now; undefined where there is no file. */
  reader(settings: Settings): Database | undefined {
    if (this.#filename === ":memory:") return undefined
    return new Database({ ...settings, isReadOnly: true, prepared: 1 })
  }

  close(): void {
    this.#prepared.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #of({ areBigInts, sql }: Call, isKept: boolean): StatementSync {
    const statement = isKept ? this.#keep(sql) : this.#database.prepare(sql)
    statement.setReadBigInts(areBigInts)
    return statement
  }

  #keep(sql: string): StatementSync {
    const known = this.#prepared.get(sql)
    const statement = known ?? this.#database.prepare(sql)
    if (known !== undefined) this.#prepared.delete(sql)
    this.#prepared.set(sql, statement)
    if (this.#prepared.size > this.#limit) {
      const [oldest] = this.#prepared.keys()
      this.#prepared.delete(oldest!)
    }
    return statement
  }
}
