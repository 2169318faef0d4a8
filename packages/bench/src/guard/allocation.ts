/**
 * Bytes on the heap before and after, with no collection in between: main.ts gives the process a
 * young generation that the samples do not fill. A disturbed sample does not change the median.
 */
import { BoundedMap } from "@larder/core"
import * as Exit from "effect/Exit"
import * as Source from "../source.ts"
import { summary } from "../statistics.ts"
import { checkIn } from "./judge.ts"
import { type Get, inFiber, type Keys, once } from "./runs.ts"
import { asHundreds, refreshing, warm } from "./situations.ts"
import { openLarder, surroundings } from "./subjects.ts"

const warmUps = 60
const samples = 31

const collect = (): void => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error("allocation is measured with node --expose-gc")
  void gc({ type: "minor" })
}

/** Bytes per key of `ask`. */
const perKey = async (next: () => Keys, ask: (keys: Keys) => Promise<unknown>): Promise<number> => {
  const taken: Array<number> = []
  for (let sample = 0; sample < warmUps + samples; sample++) {
    const keys = next()
    if (sample >= warmUps) collect()
    const before = process.memoryUsage().heapUsed
    await ask(keys)
    const after = process.memoryUsage().heapUsed
    if (sample >= warmUps) taken.push((after - before) / keys.length)
  }
  return summary(taken).median
}

const bytes = (what: string, atMost: number, measure: () => Promise<number>) =>
  checkIn("bytes")(`bytes allocated by ${what}`, atMost, measure)

const inFiberBy = (get: Get) => (keys: Keys) => inFiber(get, keys)

/** The limits are about 1.2 of the measured value, since it is the same in every run. */
export const allocation = {
  hitBytes: bytes("a fresh hit, beyond those of yielding its Exit", 80, async () => {
    const { keys, larder, source } = await warm()
    const exits = new Map(source.keys.map((key) => [key, Exit.succeed(source.expected(key))]))
    const whole = await perKey(keys, inFiberBy(larder.get))
    const floor = await perKey(
      keys,
      inFiberBy((key) => exits.get(key)!),
    )
    return whole - floor
  }),
  staleHitBytes: bytes("a stale hit whose refresh is under way", 800, async () => {
    const { keys, larder } = await refreshing(surroundings())
    return perKey(() => keys, inFiberBy(larder.get))
  }),
  manyBytes: bytes("getMany of 100 fresh hits, for each key", 120, async () => {
    const { keys, larder } = await warm()
    return perKey(keys, (asked) => once(asHundreds(larder, asked)))
  }),
  churnBytes: bytes("a new key in a full map, beyond key and value", 8, async () => {
    const size = 10_000
    const map = BoundedMap.make<boolean>({ maxEntries: size })
    let made = 0
    const fresh = () => Array.from({ length: size }, () => `key/${made++}`)
    return perKey(fresh, async (keys) => {
      for (const key of keys) map.set(key, true)
    })
  }),
  missBytes: bytes("an asynchronous miss, what is kept included", 9_000, async () => {
    const source = Source.make(0, "turn")
    const larder = await openLarder(source)
    return perKey(() => source.unasked(200), inFiberBy(larder.get))
  }),
}
