/** What the collector had to do. */
import { GCProfiler, getHeapStatistics } from "node:v8"

export interface Garbage {
  readonly collections: number
  readonly millis: number
  /** All that came into being meanwhile, whatever has become of it. */
  readonly allocatedBytes: number
}

interface Used {
  readonly heap: number
  readonly external: number
}

/** Of one collection: what was in use at its beginning and at its end. */
export interface Collection {
  readonly before: Used
  readonly after: Used
  readonly micros: number
}

/** What is in use grows by what is allocated, and shrinks in collections alone. */
export const garbage = (
  start: Used,
  collections: ReadonlyArray<Collection>,
  end: Used,
): Garbage => {
  const total = ({ external, heap }: Used): number => heap + external
  const from = [start, ...collections.map(({ after }) => after)]
  const to = [...collections.map(({ before }) => before), end]
  return {
    collections: collections.length,
    millis: collections.reduce((sum, { micros }) => sum + micros, 0) / 1_000,
    allocatedBytes: from.reduce((sum, used, at) => sum + total(to[at]!) - total(used), 0),
  }
}

const used = (): Used => {
  const { external_memory, used_heap_size } = getHeapStatistics()
  return { heap: used_heap_size, external: external_memory }
}

/** Begins to watch; gives what has happened when it is called. */
export const watch = (): (() => Garbage) => {
  const profiler = new GCProfiler()
  profiler.start()
  const start = used()
  return () => {
    const end = used()
    const { statistics } = profiler.stop()
    return garbage(
      start,
      statistics.map(({ afterGC, beforeGC, cost }) => ({
        before: {
          heap: beforeGC.heapStatistics.usedHeapSize,
          external: beforeGC.heapStatistics.externalMemory,
        },
        after: {
          heap: afterGC.heapStatistics.usedHeapSize,
          external: afterGC.heapStatistics.externalMemory,
        },
        micros: cost,
      })),
      end,
    )
  }
}
