/**
 * The table of all outboxes: a row for each key, with up to three writes in it, and a row for each outbox
 * with its number of keys. Whoever changes rows locks the latter first, so that the bound holds and no two
 * transactions wait for each other; a claim alone skips rows that others have locked.
 */
import { OutboxRow } from "@larder/core"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** The columns after the outbox and the key, as they are stored in JSON. */
const columns = [
  ["ready_at", "bigint"],
  ["waiting_version", "bigint"],
  ["waiting_payload", "text"],
  ["waiting_since", "bigint"],
  ["flying_version", "bigint"],
  ["flying_payload", "text"],
  ["flying_since", "bigint"],
  ["flying_attempts", "bigint"],
  ["flying_claim", "text"],
  ["flying_ready_at", "bigint"],
  ["dead_version", "bigint"],
  ["dead_payload", "text"],
  ["dead_since", "bigint"],
  ["dead_attempts", "bigint"],
  ["dead_why", "text"],
] as const

type Column = (typeof columns)[number][0]

/** A row as a driver gives it: Postgres has `bigint` as text. */
type Stored = { readonly key: string } & {
  readonly [Name in Column]: string | number | null
}

export interface Keyed {
  readonly key: string
  readonly row: OutboxRow.Row
}

const textOf = (value: string | number | null): string | undefined =>
  value === null ? undefined : String(value)

type Cell = string | number | null

/** SQLite takes a text for a number, so that a damaged row may have one. */
const countOf = (cell: Cell): number | undefined => {
  const number = Number(cell)
  return cell !== null && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/**
 * A write without a readable version must not stop the others: it has version 0, and a payload that no
 * schema decodes.
 */
const writeOf = (version: Cell, payload: Cell, since: Cell): OutboxRow.Waiting | undefined => {
  if (version === null) return undefined
  const known = countOf(version)
  return {
    version: known ?? 0,
    payload: known === undefined ? "" : textOf(payload),
    since: countOf(since) ?? 0,
  }
}

const rowOf = (stored: Stored): OutboxRow.Row => {
  const flying = writeOf(stored.flying_version, stored.flying_payload, stored.flying_since)
  const dead = writeOf(stored.dead_version, stored.dead_payload, stored.dead_since)
  return {
    waiting: writeOf(stored.waiting_version, stored.waiting_payload, stored.waiting_since),
    inFlight: flying && {
      ...flying,
      attempts: countOf(stored.flying_attempts) ?? 0,
      claim: textOf(stored.flying_claim),
      readyAt: countOf(stored.flying_ready_at) ?? 0,
    },
    dead: dead && {
      ...dead,
      attempts: countOf(stored.dead_attempts) ?? 0,
      why: textOf(stored.dead_why) ?? "",
    },
  }
}

type Cells = ReadonlyArray<string | number | undefined>

const cellsOf = ({ key, row }: Keyed): Cells => {
  const { dead, inFlight, waiting } = row
  return [
    key,
    OutboxRow.readyAt(row),
    waiting?.version,
    waiting?.payload,
    waiting?.since,
    inFlight?.version,
    inFlight?.payload,
    inFlight?.since,
    inFlight?.attempts,
    inFlight?.claim,
    inFlight?.readyAt,
    dead?.version,
    dead?.payload,
    dead?.since,
    dead?.attempts,
    dead?.why,
  ]
}

type Statements<A extends object = object> = (
  ...parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, SqlError>

/** The rows of one statement, the most first. */
const rowsPerStatement = [64, 8, 1]

/** Statements of few texts, whatever the number of rows, so that a client prepares each once. */
export class OutboxTable {
  readonly isPostgres: boolean
  readonly #sql: SqlClient
  readonly #table: string
  readonly #sizes: string

  constructor(sql: SqlClient, table: string, isPostgres: boolean) {
    this.#sql = sql.withoutTransforms()
    this.#table = table
    this.#sizes = `${table}_size`
    this.isPostgres = isPostgres
  }

  #statement<A extends object>(sqlite: string, postgres: string = sqlite): Statements<A> {
    // The placeholders of SQLite are positions, those of Postgres numbers.
    let place = 0
    const text = this.isPostgres ? postgres.replaceAll("?", () => `$${(place += 1)}`) : sqlite
    return (...parameters) => this.#sql.unsafe<A>(text, parameters)
  }

  /** All or nothing, with the outbox locked for this step alone. */
  changing<A, E>(outbox: string, step: Effect.Effect<A, E>): Effect.Effect<A, E | SqlError> {
    // A write, so that a transaction of SQLite that began as a reader need not wait for itself.
    const lock = this.#statement(`update ${this.#sizes} set keys = keys where outbox = ?`)
    return this.#sql.withTransaction(Effect.andThen(lock(outbox), step))
  }

  /** All or nothing, for a step that locks its rows itself. */
  claiming<A, E>(outbox: string, step: Effect.Effect<A, E>): Effect.Effect<A, E | SqlError> {
    return this.isPostgres ? this.#sql.withTransaction(step) : this.changing(outbox, step)
  }

  get create(): Effect.Effect<void, SqlError> {
    const collation = this.isPostgres ? ' collate "C"' : ""
    const fields = columns.map(([name, type]) => `${name} ${type}`).join(", ")
    const all = [
      `create table if not exists ${this.#table} (outbox text not null, key text${collation} not null, ${fields}, primary key (outbox, key))`,
      `create index if not exists ${this.#table}_ready on ${this.#table} (outbox, ready_at)`,
      `create index if not exists ${this.#table}_waiting on ${this.#table} (outbox) where waiting_version is not null`,
      `create table if not exists ${this.#sizes} (outbox text not null primary key, keys bigint not null)`,
    ]
    return Effect.forEach(all, (text) => this.#statement(text)(), { discard: true })
  }

  open(outbox: string): Effect.Effect<unknown, SqlError> {
    return this.#statement(
      `insert into ${this.#sizes} (outbox, keys) values (?, 0) on conflict (outbox) do nothing`,
    )(outbox)
  }

  size(outbox: string): Effect.Effect<number, SqlError> {
    const size = this.#statement<{ readonly keys: string | number }>(
      `select keys from ${this.#sizes} where outbox = ?`,
    )
    return Effect.map(size(outbox), ([row]) => Number(row?.keys ?? 0))
  }

  grow(outbox: string, by: number): Effect.Effect<unknown, SqlError> {
    if (by === 0) return Effect.void
    return this.#statement(`update ${this.#sizes} set keys = keys + ? where outbox = ?`)(by, outbox)
  }

  /** The rows of keys. Where they are to be changed, nobody else changes them until the end. */
  rows(
    outbox: string,
    keys: ReadonlyArray<string>,
    use: "read" | "change",
  ): Effect.Effect<ReadonlyMap<string, OutboxRow.Row>, SqlError> {
    const lock = use === "change" ? " for update" : ""
    const rows = this.#statement<Stored>(
      `select * from ${this.#table} where outbox = ? and key in (select value from json_each(?))`,
      `select * from ${this.#table} where outbox = ? and key in (select jsonb_array_elements_text(?::jsonb))${lock}`,
    )
    return Effect.map(
      rows(outbox, JSON.stringify(keys)),
      (all) => new Map(all.map((stored) => [stored.key, rowOf(stored)])),
    )
  }

  /** Those that have been ready longest, without those that somebody else is claiming. */
  ready(outbox: string, now: number, max: number): Effect.Effect<ReadonlyArray<Keyed>, SqlError> {
    const text = `select * from ${this.#table} where outbox = ? and ready_at <= ? order by ready_at limit ?`
    const ready = this.#statement<Stored>(text, `${text} for update skip locked`)
    return Effect.map(ready(outbox, now, max), (all) =>
      all.map((stored) => ({ key: stored.key, row: rowOf(stored) })),
    )
  }

  nextAt(outbox: string, now: number): Effect.Effect<number | undefined, SqlError> {
    const next = this.#statement<{ readonly at: string | number | null }>(
      `select min(ready_at) as at from ${this.#table} where outbox = ? and ready_at > ?`,
    )
    return Effect.map(next(outbox, now), ([row]) =>
      row === undefined || row.at === null ? undefined : Number(row.at),
    )
  }

  save(outbox: string, all: ReadonlyArray<Keyed>): Effect.Effect<void, SqlError> {
    const remove = this.#statement(
      `delete from ${this.#table} where outbox = ? and key in (select value from json_each(?))`,
      `delete from ${this.#table} where outbox = ? and key in (select jsonb_array_elements_text(?::jsonb))`,
    )
    const kept = all.filter(({ row }) => !OutboxRow.isEmpty(row)).map(cellsOf)
    const gone = all.filter(({ row }) => OutboxRow.isEmpty(row)).map(({ key }) => key)
    const saved = this.isPostgres ? this.#saveJson(outbox, kept) : this.#saveRows(outbox, kept)
    return gone.length === 0 ? saved : Effect.andThen(saved, remove(outbox, JSON.stringify(gone)))
  }

  #upsert(values: string): string {
    const names = columns.map(([name]) => name)
    const updates = names.map((name) => `${name} = excluded.${name}`).join(", ")
    return `insert into ${this.#table} (outbox, key, ${names.join(", ")}) ${values} on conflict (outbox, key) do update set ${updates}`
  }

  #saveJson(outbox: string, rows: ReadonlyArray<Cells>): Effect.Effect<void, SqlError> {
    if (rows.length === 0) return Effect.void
    const types = ["text", ...columns.map(([, type]) => type)]
    const cells = types.map((type, i) => `(value ->> ${i})::${type}`).join(", ")
    const values = `select ?, ${cells} from jsonb_array_elements(?::jsonb) as value`
    return Effect.asVoid(this.#statement(this.#upsert(values))(outbox, JSON.stringify(rows)))
  }

  /** In SQLite several times as fast as JSON. Few numbers of rows, so that few statements are prepared. */
  #saveRows(outbox: string, rows: ReadonlyArray<Cells>): Effect.Effect<void, SqlError> {
    const size = rowsPerStatement.find((size) => size <= rows.length)
    if (size === undefined) return Effect.void
    const row = `(${Array.from({ length: columns.length + 2 }, () => "?").join(", ")})`
    const values = `values ${Array.from({ length: size }, () => row).join(", ")}`
    const parameters = rows
      .slice(0, size)
      .flatMap((cells) => [outbox, ...cells.map((cell) => cell ?? null)])
    return Effect.andThen(
      this.#statement(this.#upsert(values))(...parameters),
      this.#saveRows(outbox, rows.slice(size)),
    )
  }

  dead(
    outbox: string,
    after: string | undefined,
    max: number,
  ): Effect.Effect<ReadonlyArray<Keyed>, SqlError> {
    const dead = this.#statement<Stored>(
      `select * from ${this.#table} where outbox = ? and dead_version is not null and key > ? order by key limit ?`,
    )
    return Effect.map(dead(outbox, after ?? "", max), (all) =>
      all.map((stored) => ({ key: stored.key, row: rowOf(stored) })),
    )
  }

  /** The keys that wait, as far as `most`. */
  waiting(outbox: string, most: number): Effect.Effect<number, SqlError> {
    const waiting = this.#statement<{ readonly keys: string | number }>(
      `select count(*) as keys from (select 1 from ${this.#table} where outbox = ? and waiting_version is not null limit ?) as counted`,
    )
    return Effect.map(waiting(outbox, most), ([row]) => Number(row?.keys ?? 0))
  }

  depth(outbox: string): Effect.Effect<
    {
      readonly waiting: number
      readonly inFlight: number
      readonly dead: number
      readonly oldest: number | undefined
    },
    SqlError
  > {
    const depth = this.#statement<Readonly<Record<string, string | number | null>>>(
      `select count(waiting_version) as waiting, count(flying_version) as flying, count(dead_version) as dead, min(waiting_since) as first_waiting, min(flying_since) as first_flying from ${this.#table} where outbox = ?`,
    )
    return Effect.map(depth(outbox), ([row]) => {
      const firsts = [row?.["first_waiting"], row?.["first_flying"]].filter(
        (first) => first !== null && first !== undefined,
      )
      return {
        waiting: Number(row?.["waiting"] ?? 0),
        inFlight: Number(row?.["flying"] ?? 0),
        dead: Number(row?.["dead"] ?? 0),
        oldest: firsts.length === 0 ? undefined : Math.min(...firsts.map(Number)),
      }
    })
  }
}
