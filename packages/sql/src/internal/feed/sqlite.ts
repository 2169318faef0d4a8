/** The questions in SQLite: it has one writer at a time, so the numbers are in the order of commits. */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import { now } from "../ddl/sqlite.ts"
import type { Tables } from "../ddl/names.ts"
import type { Reader } from "./reader.ts"

interface Row {
  readonly seq: number
  readonly larder: string
  readonly keys: string
  readonly tags: string
  readonly clear: number
}

const at = (seq: number | bigint) => ({ tx: 0n, seq: BigInt(seq) })

export const sqlite = (sql: SqlClient.SqlClient, tables: Tables): Reader => {
  const { changes, name, positions, state } = tables
  const { unsafe } = sql
  return {
    after: ({ seq }, most) =>
      Effect.map(
        unsafe<Row>(
          `SELECT seq, larder, keys, tags, clear FROM ${changes} WHERE seq > ? ORDER BY seq LIMIT ?`,
          [seq, most],
        ),
        (rows) =>
          rows.map(({ clear, seq, ...row }) => ({ ...row, ...at(seq), clear: clear !== 0 })),
      ),
    state: Effect.flatMap(
      unsafe<{ readonly epoch: string; readonly floor: number; readonly last: number }>(
        `SELECT epoch, floor, coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0) AS last
          FROM ${state}`,
        [name],
      ),
      ([row]) => {
        if (row === undefined) return Effect.die(new Error(`${state} has no row`))
        const { epoch, floor, last } = row
        const end = at(last)
        const beyond = at(BigInt(last) + 1n)
        return Effect.succeed({ epoch, floor: at(floor), end, beyond, isPending: false })
      },
    ),
    prune: (olderThan, most) =>
      sql.withTransaction(
        Effect.gen(function* () {
          const gone = yield* unsafe<{ readonly seq: number }>(
            `DELETE FROM ${changes} WHERE seq <= (SELECT max(seq) FROM
              (SELECT seq FROM ${changes} WHERE at <= ${now} - ? ORDER BY seq LIMIT ?)) RETURNING seq`,
            [olderThan, most],
          )
          if (gone.length === 0) return 0
          const floor = gone.reduce((most, { seq }) => Math.max(most, Number(seq)), 0)
          yield* unsafe(`UPDATE ${state} SET floor = max(floor, ?)`, [floor])
          return gone.length
        }),
      ),
    load: (consumer) =>
      Effect.map(
        unsafe<{ readonly position: string }>(
          `SELECT position FROM ${positions} WHERE consumer = ?`,
          [consumer],
        ),
        ([row]) => row?.position,
      ),
    save: (consumer, position) =>
      Effect.asVoid(
        unsafe(
          `INSERT INTO ${positions} (consumer, position) VALUES (?, ?)
            ON CONFLICT (consumer) DO UPDATE SET position = excluded.position`,
          [consumer, position],
        ),
      ),
  }
}
