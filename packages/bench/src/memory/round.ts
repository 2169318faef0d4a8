/** The process of one round: `node --expose-gc round.ts <contender> <entries>`. */
import { generator } from "@larder/traces"
import { tell } from "../child.ts"
import { now, turn } from "../clock.ts"
import { contender, isContender, type Store } from "./contenders.ts"

/** The figures of one full store. */
export interface Figures {
  /** Bytes per entry beyond its key and its value. */
  readonly bytes: number
  readonly nanosPerHit: ReadonlyArray<number>
  /** Time to set a new key, which evicts another. */
  readonly nanosPerSet: number
}

/** Hits per sample, and keys drawn in all: too many for a processor's cache. */
const perSample = 1 << 16
const drawn = 1 << 20
const samples = 48

/**
 * Keys from number `from`, each a flat string of its own: V8 would flatten a concatenated string,
 * and change its size, while a map works with it.
 */
const keys = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) =>
    Buffer.from(`product:${String(from + n).padStart(8, "0")}`, "latin1").toString("latin1"),
  )

/** Bytes in use after garbage collection. */
const inUse = async (): Promise<number> => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error("bytes are measured with node --expose-gc")
  // Memory that the first collection finds unused, buffers above all, is freed a turn later.
  gc()
  await turn()
  gc()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const ask = (store: Store, keys: ReadonlyArray<string>, from: number, to: number): void => {
  let hits = 0
  for (let at = from; at < to; at++) if (store.get(keys[at]!)) hits++
  if (hits !== to - from) throw new Error(`${to - from - hits} keys were stored and are not there`)
}

/** Samples of hits, evenly over all keys, after one pass over the drawn keys. */
const hits = (store: Store, stored: ReadonlyArray<string>): ReadonlyArray<number> => {
  const random = generator(1)
  const asked = Array.from({ length: drawn }, () => stored[Math.floor(random() * stored.length)]!)
  ask(store, asked, 0, drawn)
  return Array.from({ length: samples }, (_, sample) => {
    const from = (sample * perSample) % drawn
    const begin = now()
    ask(store, asked, from, from + perSample)
    return ((now() - begin) * 1e6) / perSample
  })
}

const figures = async (make: (capacity: number) => Store, entries: number): Promise<Figures> => {
  const [old, fresh] = [keys(entries), keys(2 * entries, entries)]
  const before = await inUse()
  const store = make(entries)
  for (const key of old) store.set(key)
  const bytes = ((await inUse()) - before) / entries
  const nanosPerHit = hits(store, old)
  const begin = now()
  for (let at = 0; at < fresh.length; at++) store.set(fresh[at]!)
  const nanosPerSet = ((now() - begin) * 1e6) / fresh.length
  if (!fresh.some(store.get)) throw new Error("none of the new keys is there")
  return { bytes, nanosPerHit, nanosPerSet }
}

const [name = "", entries] = process.argv.slice(2)
if (!isContender(name)) throw new Error(`there is no ${JSON.stringify(name)}`)
tell(await figures(contender(name).make, Number(entries)))
