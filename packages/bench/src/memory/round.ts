/** One round, in a process with --expose-gc. */
import { now, turn } from "../clock.ts"
import { lists } from "../draw.ts"
import { type Store, stores } from "../stores.ts"

/** The samples of one full store. */
export interface Figures {
  /** Bytes per entry beyond its key and its value. */
  readonly bytes: ReadonlyArray<number>
  /** Nanoseconds per hit. */
  readonly hit: ReadonlyArray<number>
  /** Nanoseconds to set a new key, which evicts another. */
  readonly set: ReadonlyArray<number>
}

/** Hits per sample: the keys of all samples are too many for a processor's cache. */
const perSample = 1 << 16
const warmUps = 16
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

/** Nanoseconds per hit of these keys. */
const nanosPerHit = (store: Store, asked: ReadonlyArray<string>): number => {
  const begin = now()
  let hits = 0
  for (let at = 0; at < asked.length; at++) if (store.get(asked[at]!)) hits++
  const nanos = ((now() - begin) * 1e6) / asked.length
  if (hits !== asked.length) throw new Error("keys were stored and are not there")
  return nanos
}

export const figures = async (variant: string, name: string, count: string): Promise<Figures> => {
  const make = stores[variant]?.[name]
  if (make === undefined) throw new Error(`there is no ${name} with ${variant}`)
  const entries = Number(count)
  const [old, fresh] = [keys(entries), keys(2 * entries, entries)]
  const before = await inUse()
  const store = make(entries)
  for (const key of old) store.set(key)
  const bytes = ((await inUse()) - before) / entries
  const asked = lists("uniform", old, perSample)
  const hits = Array.from({ length: warmUps + samples }, () => nanosPerHit(store, asked()))
  const begin = now()
  for (let at = 0; at < fresh.length; at++) store.set(fresh[at]!)
  const nanosPerSet = ((now() - begin) * 1e6) / fresh.length
  if (!fresh.some(store.get)) throw new Error("none of the new keys is there")
  return { bytes: [bytes], hit: hits.slice(warmUps), set: [nanosPerSet] }
}
