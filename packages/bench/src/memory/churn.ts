/** Ever new keys into a full store. */
import { now } from "../clock.ts"
import { inUse } from "./bytes.ts"
import type { Store } from "./contenders.ts"
import { type Garbage, watch } from "./garbage.ts"

export interface Churn extends Garbage {
  readonly nanosPerSet: number
  /** What an entry takes afterwards, beyond its key and value. */
  readonly bytesPerEntry: number
}

export const churn = async (
  make: (capacity: number) => Store,
  old: ReadonlyArray<string>,
  fresh: ReadonlyArray<string>,
): Promise<Churn> => {
  const before = await inUse()
  const store = make(old.length)
  for (const key of old) store.set(key)
  await inUse()
  const stop = watch()
  const begin = now()
  for (let at = 0; at < fresh.length; at++) store.set(fresh[at]!)
  const millis = now() - begin
  const garbage = stop()
  const after = await inUse()
  if (!fresh.some(store.get)) throw new Error("none of the new keys is there")
  return {
    nanosPerSet: (millis * 1e6) / fresh.length,
    bytesPerEntry: (after - before) / old.length,
    ...garbage,
  }
}
