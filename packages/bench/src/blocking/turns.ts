/** The turns of the event loop, and for how long each held it up. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { now, turn } from "../clock.ts"

/** From when to when, in milliseconds. */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface Turn extends Span {
  /** Milliseconds that this thread was computing; some kernels count by ticks of 4 ms. */
  readonly computing: number
  /** What was going on. */
  readonly doing: string
}

export interface Held {
  readonly millis: number
  readonly doing: string
}

const overlap = (one: Span, other: Span): number =>
  Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from))

/**
 * The longest time that a turn held the loop up by what it did: without the
 * collection of garbage, which may be anybody's, and without other processes.
 */
export const longestHeld = (turns: ReadonlyArray<Turn>, collections: ReadonlyArray<Span>): Held =>
  turns.reduce<Held>(
    (longest, each) => {
      const collecting = collections.reduce((sum, span) => sum + overlap(each, span), 0)
      const millis = Math.min(each.to - each.from - collecting, each.computing)
      return millis > longest.millis ? { millis, doing: each.doing } : longest
    },
    { millis: 0, doing: "" },
  )

/** So that the garbage of what was before is not collected in what comes next. */
export const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
}

const computed = (): number => {
  const { system, user } = process.threadCpuUsage()
  return (system + user) / 1_000
}

/** Shorter ones are not worth keeping. */
const leastMillis = 0.1

const turnsUntil = async (
  isOver: () => boolean,
  doing: () => string,
): Promise<ReadonlyArray<Turn>> => {
  const turns: Array<Turn> = []
  for (let from = now(), before = computed(); !isOver();) {
    await turn()
    const to = now()
    const after = computed()
    if (to - from >= leastMillis) {
      turns.push({ from, to, computing: after - before, doing: doing() })
    }
    from = to
    before = after
  }
  return turns
}

export interface Watched {
  readonly turns: ReadonlyArray<Turn>
  readonly collections: ReadonlyArray<Span>
}

/** While `work` goes on, which tells what it is doing. */
export const watch = async (
  work: (doing: (what: string) => void) => Promise<void>,
): Promise<Watched> => {
  const collections: Array<Span> = []
  const note = (
    entries: ReadonlyArray<{ readonly startTime: number; readonly duration: number }>,
  ): void => {
    for (const { duration, startTime } of entries) {
      collections.push({ from: startTime, to: startTime + duration })
    }
  }
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  observer.observe({ entryTypes: ["gc"] })
  let isOver = false
  let doing = ""
  const watching = turnsUntil(
    () => isOver,
    () => doing,
  )
  try {
    await work((what) => {
      doing = what
    })
    // The turn that it ended in is one of them.
    await turn()
  } finally {
    isOver = true
    note(observer.takeRecords())
    observer.disconnect()
  }
  return { turns: await watching, collections }
}
