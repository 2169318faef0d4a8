/** What a feed asks of the database. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { tablesOf } from "../ddl/names.ts"
import { isBefore, type Place, type Position } from "./position.ts"
import { postgres } from "./postgres.ts"
import { sqlite } from "./sqlite.ts"

/** A recorded change. */
export interface Recorded extends Place {
  readonly larder: string
  /** JSON arrays of texts. */
  readonly keys: string
  readonly tags: string
  readonly clear: boolean
}

/** What is known of the table as a whole. */
export interface State {
  readonly epoch: string
  /** Changes up to this one may have been deleted. */
  readonly floor: Place
  /** Who begins here misses nothing that happens from now on. */
  readonly end: Place
  /** No change can be at this place yet, nor after it. */
  readonly beyond: Place
  /** A committed change waits for an older transaction to end. */
  readonly isPending: boolean
}

export interface Reader {
  /** The first changes after a place, oldest first. */
  readonly after: (place: Place, most: number) => Effect.Effect<ReadonlyArray<Recorded>, SqlError>
  readonly state: Effect.Effect<State, SqlError>
  /** Deletes up to `most` changes that are older than this; returns how many. */
  readonly prune: (olderThanMillis: number, most: number) => Effect.Effect<number, SqlError>
  readonly load: (consumer: string) => Effect.Effect<string | undefined, SqlError>
  readonly save: (consumer: string, position: string) => Effect.Effect<void, SqlError>
}

export const readerOf = (client: SqlClient.SqlClient, name: string, schema: string): Reader => {
  const sql = client.withoutTransforms()
  const unsupported = (): Reader => {
    throw new Error("ChangeTable works on SQLite and Postgres only")
  }
  return sql.onDialectOrElse({
    sqlite: () => sqlite(sql, tablesOf(name)),
    pg: () => postgres(sql, tablesOf(name, schema)),
    orElse: unsupported,
  })
}

/** Whether changes after a position may be missing from the table. */
export const isLost = (position: Position, { beyond, epoch, floor }: State): boolean =>
  position.epoch !== epoch || isBefore(position, floor) || !isBefore(position, beyond)

const decodeList = Schema.decodeUnknownExit(Schema.fromJsonString(Schema.Array(Schema.String)))

/** A list that somebody else wrote wrongly is undefined: nobody knows what it meant. */
export const listOf = (json: string): ReadonlyArray<string> | undefined => {
  const decoded = decodeList(json)
  return Exit.isSuccess(decoded) ? decoded.value : undefined
}
