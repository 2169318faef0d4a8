/** Where the position of a consumer is kept. */
import * as Effect from "effect/Effect"
import type { KeyValueStoreError } from "effect/persistence/KeyValueStore"
import type { SqlError } from "effect/sql/SqlError"
import type { Settings } from "./options.ts"
import { decode, encode, type Position } from "./position.ts"
import type { Reader } from "./reader.ts"

export interface Positions {
  readonly load: Effect.Effect<Position | undefined, SqlError | KeyValueStoreError>
  readonly save: (position: Position) => Effect.Effect<void, SqlError | KeyValueStoreError>
}

const nowhere: Positions = { load: Effect.succeed(undefined), save: () => Effect.void }

const decoded = (text: string | undefined): Position | undefined =>
  text === undefined ? undefined : decode(text)

export const positionsOf = ({ consumer, name, positions }: Settings, reader: Reader): Positions => {
  if (consumer === undefined) return nowhere
  if (positions === undefined) {
    return {
      load: Effect.map(reader.load(consumer), decoded),
      save: (position) => reader.save(consumer, encode(position)),
    }
  }
  const key = `${name}/${consumer}`
  return {
    load: Effect.map(positions.get(key), decoded),
    save: (position) => positions.set(key, encode(position)),
  }
}
