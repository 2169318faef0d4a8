/** What one operation does, counted: no machine changes these. */
import * as Effect from "effect/Effect"
import * as Source from "../source.ts"
import { inFiber, type Keys, once } from "./runs.ts"
import { asHundreds, refreshing, stale, warm } from "./situations.ts"
import { openLarder, type Surroundings, surroundings } from "./subjects.ts"

export interface Counts {
  readonly forks: number
  /** Of the time of day. */
  readonly readings: number
  /** Of monotonic time, by a clock that is not the system's, of which each reading takes one. */
  readonly monotonic: number
  readonly draws: number
  readonly sleeps: number
}

/** Fibers are numbered as they begin. */
const fibers = (): number => Effect.runFork(Effect.void).id

/** For each key, without what asking for none costs. */
export const counted = async (
  { counts }: Surroundings,
  keys: Keys,
  ask: (keys: Keys) => Promise<unknown>,
): Promise<Counts> => {
  const from = { ...counts, fibers: fibers() }
  await ask(keys)
  const forks = fibers() - from.fibers - 2
  return {
    forks: forks / keys.length,
    readings: (counts.readings - from.readings) / keys.length,
    monotonic: (counts.monotonic - from.monotonic) / keys.length,
    draws: (counts.draws - from.draws) / keys.length,
    sleeps: (counts.sleeps - from.sleeps) / keys.length,
  }
}

export const hit = async (): Promise<Counts> => {
  const within = surroundings()
  const { keys, larder } = await warm({ within })
  return counted(within, keys(), (asked) => inFiber(larder.get, asked))
}

export const many = async (): Promise<Counts> => {
  const within = surroundings()
  const { keys, larder } = await warm({ within })
  return counted(within, keys(), (asked) => once(asHundreds(larder, asked)))
}

export const miss = async (): Promise<Counts> => {
  const within = surroundings()
  const source = Source.make(0, "turn")
  const larder = await openLarder(source, { within })
  await inFiber(larder.get, source.unasked(1))
  return counted(within, source.unasked(1_000), (asked) => inFiber(larder.get, asked))
}

/** The refresh of each key begins with it. */
export const staleHit = async (): Promise<Counts> => {
  const within = surroundings()
  const { larder, staleAgain } = await stale(within, 200)
  return counted(within, await staleAgain(), (asked) => inFiber(larder.get, asked))
}

export const staleHitUnderWay = async (): Promise<Counts> => {
  const within = surroundings()
  const { keys, larder } = await refreshing(within)
  return counted(within, keys, (asked) => inFiber(larder.get, asked))
}
