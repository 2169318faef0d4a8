/** Two writers and three readers of one key, on two nodes; each step takes 0 to 3 ms. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type Products, type Strategy } from "./strategies.ts"

/** One key of the source, and of a replica of it that is late. */
export interface Row {
  value: number
  replica: number
}

export type Rows = Map<string, Row>

export const rowOf = (rows: Rows, key: string): Row => {
  const row = rows.get(key) ?? { value: 0, replica: 0 }
  rows.set(key, row)
  return row
}

const nap = Effect.flatMap(Random.nextIntBetween(0, 4), (millis) => Effect.sleep(millis))

/** The lookup of a larder over the rows. */
export const lookup = (rows: Rows) => (key: string) =>
  Effect.gen(function* () {
    yield* nap
    const { replica } = rowOf(rows, key)
    yield* nap
    return replica
  })

let last = 0

/** Saves a value that nobody else saves; a replica has it `lagMillis` later. */
export const saving = (rows: Rows, key: string, lagMillis: number) =>
  Effect.gen(function* () {
    yield* nap
    const row = rowOf(rows, key)
    last += 1
    const value = last
    row.value = value
    const replicated = Effect.sync(() => {
      row.replica = Math.max(row.replica, value)
    })
    if (lagMillis === 0) yield* replicated
    else yield* Effect.forkDetach(Effect.delay(replicated, lagMillis), { startImmediately: true })
    yield* nap
    return value
  })

export interface Outcome {
  /** A node has a fresh value that the source does not have. */
  readonly wrong: number
  /** No node has a fresh value. */
  readonly empty: number
  readonly rounds: number
}

export interface Race {
  readonly strategy: Strategy
  readonly larders: readonly [Products, Products]
  readonly rows: Rows
  readonly rounds: number
  readonly writers: number
  readonly lagMillis: number
}

const roundOf = (race: Race, key: string) =>
  Effect.gen(function* () {
    const { lagMillis, larders, rows, strategy, writers } = race
    const [one, other] = larders
    const write = (larder: Products) => strategy.write(larder, key, saving(rows, key, lagMillis))
    const read = (larder: Products) => Effect.andThen(nap, Effect.orDie(larder.get(key)))
    const readers = [read(one), read(other), read(one)]
    const writing = Array.from({ length: writers }, (_, i) =>
      // One writer, and its own read right after it.
      writers === 1
        ? Effect.andThen(write(one), Effect.orDie(one.get(key)))
        : write(larders[i % 2]!),
    )
    yield* Effect.all([...writing, ...readers], { concurrency: "unbounded", discard: true })
    // What is on its way to the nodes and to the replica arrives.
    yield* Effect.sleep(30 + lagMillis)
    const seen = yield* Effect.forEach(larders, (larder) => Effect.orDie(larder.read(key)))
    const fresh = seen.filter(({ freshness }) => freshness._tag === "Fresh")
    const { value } = rowOf(rows, key)
    return {
      wrong: fresh.some(({ entry }) => entry?.value !== value),
      empty: fresh.length === 0,
    }
  })

export const race = (given: Race): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const keys = Array.from({ length: given.rounds }, (_, i) => `race-${began}-${i}`)
    const rounds = yield* Effect.forEach(keys, (key) => roundOf(given, key), { concurrency: 16 })
    return {
      wrong: rounds.filter(({ wrong }) => wrong).length,
      empty: rounds.filter(({ empty }) => empty).length,
      rounds: rounds.length,
    }
  })
