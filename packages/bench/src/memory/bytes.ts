/** What a store takes beyond its keys and its value. */
import { turn } from "../clock.ts"
import type { Store } from "./contenders.ts"

/** Bytes in use, after everything that nobody refers to is gone. */
export const inUse = async (): Promise<number> => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error("bytes are measured with node --expose-gc")
  // What the first collection finds to be of no use, buffers above all, is given back after a turn.
  gc()
  await turn()
  gc()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes per entry of a store that has got all of `keys`. */
export const bytesPerEntry = async (
  make: (capacity: number) => Store,
  keys: ReadonlyArray<string>,
): Promise<number> => {
  const before = await inUse()
  const store = make(keys.length)
  for (const key of keys) store.set(key)
  const after = await inUse()
  const absent = keys.findIndex((key) => !store.get(key))
  if (absent >= 0) throw new Error(`${keys[absent]} was stored and is not there`)
  return (after - before) / keys.length
}
