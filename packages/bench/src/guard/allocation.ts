/**
 * Bytes on the heap before and after, with no collection in between: round.ts gives the process a
 * young generation that the samples do not fill. A disturbed sample does not change the median.
 */
import { BoundedMap } from "@larder/core"
import * as Exit from "effect/Exit"
import * as Source from "../source.ts"
import { quantile } from "../statistics.ts"
import { inFiber, type Keys, once } from "./runs.ts"
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
  return quantile(
    taken.toSorted((a, b) => a - b),
    0.5,
  )
}

export const hit = async (): Promise<number> => {
  const { keys, larder, source } = await warm()
  const exits = new Map(source.keys.map((key) => [key, Exit.succeed(source.expected(key))]))
  const whole = await perKey(keys, (asked) => inFiber(larder.get, asked))
  const floor = await perKey(keys, (asked) => inFiber((key) => exits.get(key)!, asked))
  return whole - floor
}

export const staleHit = async (): Promise<number> => {
  const { keys, larder } = await refreshing(surroundings())
  return perKey(
    () => keys,
    (asked) => inFiber(larder.get, asked),
  )
}

export const many = async (): Promise<number> => {
  const { keys, larder } = await warm()
  return perKey(keys, (asked) => once(asHundreds(larder, asked)))
}

export const miss = async (): Promise<number> => {
  const source = Source.make(0, "turn")
  const larder = await openLarder(source)
  return perKey(
    () => source.unasked(200),
    (asked) => inFiber(larder.get, asked),
  )
}

export const churn = async (): Promise<number> => {
  const size = 10_000
  const map = BoundedMap.make<boolean>({ maxEntries: size })
  let made = 0
  return perKey(
    () => Array.from({ length: size }, () => `key/${made++}`),
    async (keys) => {
      for (const key of keys) map.set(key, true)
    },
  )
}
