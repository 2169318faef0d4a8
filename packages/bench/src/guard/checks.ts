/**
 * The limits of the guard in one table, and how each figure is measured.
 *
 * Times: about 1.6 of the measured value, so that a doubling is caught. Bytes: about 1.2, since
 * they are the same in every run. Fibers, clock readings and draws are counted by
 * packages/bench/test/counts.test.ts instead.
 */
import * as allocation from "./allocation.ts"
import type { Bound } from "./judge.ts"
import * as ratios from "./ratios.ts"

interface Check extends Bound {
  readonly measure: () => Promise<number>
}

/** Processor time as a multiple of another subject's in the same run. */
const times = (title: string, atMost: number, measure: Check["measure"]): Check => ({
  title,
  unit: "times",
  atMost,
  measure,
})

const bytes = (title: string, atMost: number, measure: Check["measure"]): Check => ({
  title,
  unit: "bytes",
  atMost,
  measure,
})

const table = {
  hit: times("a fresh hit inside a fiber, to Effect's Cache.get", 0.85, ratios.hit),
  hitByPromise: times(
    "a fresh hit by Effect.runPromise, to Effect's Cache.get by it",
    1,
    ratios.hitByPromise,
  ),
  hitHeard: times("a fresh hit with a listener attached, to one without", 2.5, ratios.hitHeard),
  many: times("a key of getMany of 100 fresh hits, to a single hit", 0.9, ratios.many),
  staleHit: times(
    "a stale hit that begins a refresh, what the caller waits for, to a fresh hit",
    6,
    ratios.staleHit,
  ),
  miss: times("an asynchronous miss, to that of Effect's Cache.get", 3.6, ratios.miss),
  missWhenFull: times(
    "a miss that makes another entry leave, to one with room",
    1.7,
    ratios.missWhenFull,
  ),
  stampede: times("1,000 callers of one cold key, to Effect's Cache.get", 1.4, ratios.stampeded),
  tagDrop: times("a tag of 10,000 entries dropped, to one of 100", 2, ratios.tagDrop),
  clear: times("a larder of 10,000 entries cleared, to one of 100", 2, ratios.clear),
  hitBytes: bytes(
    "bytes allocated by a fresh hit, beyond those of yielding its Exit",
    80,
    allocation.hit,
  ),
  staleHitBytes: bytes(
    "bytes allocated by a stale hit whose refresh is under way",
    720,
    allocation.staleHit,
  ),
  manyBytes: bytes(
    "bytes allocated by getMany of 100 fresh hits, for each key",
    120,
    allocation.many,
  ),
  churnBytes: bytes(
    "bytes allocated by a new key in a full map, beyond key and value",
    8,
    allocation.churn,
  ),
  missBytes: bytes(
    "bytes allocated by an asynchronous miss, what is kept included",
    9_000,
    allocation.miss,
  ),
} satisfies Readonly<Record<string, Check>>

export type CheckName = keyof typeof table

export const checks: Readonly<Record<CheckName, Check>> = table

export const isCheck = (name: string): name is CheckName => Object.hasOwn(table, name)

export const checkNames: ReadonlyArray<CheckName> = Object.keys(table).filter(isCheck)
