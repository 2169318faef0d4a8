/** Larders in the guarded states, and lists of keys to request. */
import { strictEqual } from "node:assert"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { turn } from "../clock.ts"
import { hundreds } from "../draw.ts"
import * as Source from "../source.ts"
import { inFiber, type Keys } from "./runs.ts"
import { type How, type OpenLarder, openLarder, type Surroundings } from "./subjects.ts"

/** Keys requested in one sample. */
export const sampleSize = 1_000

/** Milliseconds that take an entry past its freshness, into stale-while-revalidate. */
const pastFreshness = 61 * 60_000

/** A larder filled with fresh entries. */
export const warm = async (how: How = {}) => {
  const source = Source.make(10 * sampleSize, "none")
  const larder = await openLarder(source, how)
  await inFiber(larder.get, source.keys)
  return { larder, source, keys: inTurn(source.keys, sampleSize) }
}

/** Lists of `size` keys in turn, starting over at the end. */
export const inTurn = (keys: Keys, size: number): (() => Keys) => {
  let from = 0
  return () => {
    const list = keys.slice(from, from + size)
    from = (from + size) % keys.length
    return list
  }
}

const servedStale = async (larder: OpenLarder, times: number): Promise<void> =>
  strictEqual((await Effect.runPromise(larder.stats)).staleServed, times, "stale hits")

/** A larder whose entries become stale as often as needed, with a lookup that takes a turn. */
export const stale = async (within: Surroundings, size: number) => {
  const source = Source.make(size, "turn")
  const larder = await openLarder(source, { within })
  await inFiber(larder.get, source.keys)
  let asked = 0
  const staleAgain = async (): Promise<Keys> => {
    // Wait until the earlier refreshes have ended.
    while ((await Effect.runPromise(larder.stats)).inFlight > 0) await turn()
    await servedStale(larder, asked)
    asked += size
    within.pass(pastFreshness)
    return source.keys
  }
  return { larder, source, staleAgain }
}

/** A larder whose entries are all stale, with refreshes that never end. */
export const refreshing = async (within: Surroundings) => {
  const source = Source.make(sampleSize, "none")
  let filled = false
  const larder = await openLarder(source, {
    within,
    lookup: (key) => (filled ? Effect.never : Effect.sync(() => source.take(key))),
  })
  await inFiber(larder.get, source.keys)
  filled = true
  within.pass(pastFreshness)
  await inFiber(larder.get, source.keys)
  await servedStale(larder, source.keys.length)
  // Refreshes begin one turn after the calls that start them.
  await turn()
  return { larder, keys: source.keys }
}

/** Reads all keys in batches of a hundred; every key must be cached. */
export const asHundreds = (larder: OpenLarder, keys: Keys): Effect.Effect<void> =>
  Effect.gen(function* () {
    let last: Exit.Exit<Source.Product, unknown> | undefined
    for (const hundred of hundreds(keys)) {
      last = (yield* larder.getMany(hundred)).get(hundred.at(-1)!)
    }
    strictEqual(last !== undefined && Exit.isSuccess(last), true, "not all keys were found")
  })
