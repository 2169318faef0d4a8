/**
 * The questions in Postgres. Several transactions write at the same time, so a sequence is not the order
 * of commits: transaction 1 takes number 1, transaction 2 takes number 2 and commits, a reader sees 2 and
 * would go on from there, and 1, committed later, would never be read. So the order is that of
 * transactions, and a change is read once every transaction that is not younger has ended.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "../ddl/names.ts"
import type { Reader } from "./reader.ts"

interface Row {
  readonly tx: string
  readonly seq: string
  readonly larder: string
  readonly keys: string
  readonly tags: string
  readonly clear: boolean
}

interface StateRow {
  readonly epoch: string
  readonly floor_tx: string
  readonly floor_seq: string
  readonly xmin: string
  readonly xmax: string
  readonly pending: boolean
}

/** Every transaction below it has ended. */
const settled = "pg_snapshot_xmin(pg_current_snapshot())"

const highest = 2n ** 63n - 1n

const at = (tx: string, seq: string) => ({ tx: BigInt(tx), seq: BigInt(seq) })

export const postgres = (sql: SqlClient.SqlClient, tables: Tables): Reader => {
  const { changes, positions, state } = tables
  const { unsafe } = sql
  return {
    after: ({ seq, tx }, most) =>
      Effect.map(
        unsafe<Row>(
          `select tx::text, seq::text, larder, array_to_json(keys)::text as keys,
              array_to_json(tags)::text as tags, clear
            from ${changes}
            where tx < ${settled} and (tx, seq) > ($1::text::xid8, $2::text::bigint)
            order by tx, seq limit ${most}`,
          [String(tx), String(seq)],
        ),
        (rows) => rows.map(({ seq, tx, ...row }) => ({ ...row, ...at(tx, seq) })),
      ),
    state: Effect.flatMap(
      unsafe<StateRow>(
        `select epoch, floor_tx::text, floor_seq::text, ${settled}::text as xmin,
            pg_snapshot_xmax(pg_current_snapshot())::text as xmax,
            exists (select 1 from ${changes} where tx >= ${settled}) as pending
          from ${state}`,
      ),
      ([row]) => {
        if (row === undefined) return Effect.die(new Error(`${state} has no row`))
        return Effect.succeed({
          epoch: row.epoch,
          floor: at(row.floor_tx, row.floor_seq),
          end: { tx: BigInt(row.xmin) - 1n, seq: highest },
          beyond: at(row.xmax, "0"),
          isPending: row.pending,
        })
      },
    ),
    prune: (olderThan, most) =>
      Effect.map(
        unsafe<{ readonly count: string }>(
          `with gone as (
              delete from ${changes} where (tx, seq) in (
                select tx, seq from ${changes}
                where tx < ${settled}
                  and at <= clock_timestamp() - $1::text::double precision * interval '1 millisecond'
                order by tx, seq limit ${most}
              ) returning tx, seq
            ), newest as (select tx, seq from gone order by tx desc, seq desc limit 1),
            raised as (
              update ${state} set floor_tx = newest.tx, floor_seq = newest.seq from newest
              where (newest.tx, newest.seq) > (floor_tx, floor_seq)
            )
            select count(*)::text as count from gone`,
          [String(olderThan)],
        ),
        ([row]) => Number(row?.count ?? 0),
      ),
    load: (consumer) =>
      Effect.map(
        unsafe<{ readonly position: string }>(
          `select position from ${positions} where consumer = $1`,
          [consumer],
        ),
        ([row]) => row?.position,
      ),
    save: (consumer, position) =>
      Effect.asVoid(
        unsafe(
          `insert into ${positions} (consumer, position) values ($1, $2)
            on conflict (consumer) do update set position = excluded.position`,
          [consumer, position],
        ),
      ),
  }
}
