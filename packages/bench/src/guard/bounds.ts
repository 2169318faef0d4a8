/**
 * What a change may not exceed: all bounds in one table.
 *
 * Times: about 1.6 of what was measured, so that twice as much is caught. Bytes: about 1.2, since they are the same
 * in every run. Counts: what is done now.
 */

export interface Bound {
  readonly title: string
  /** `times`: processor time as a multiple of another's in the same run. */
  readonly unit: "times" | "bytes" | "count"
  readonly atMost: number
}

export const bounds = {
  hit: {
    title: "a fresh hit inside a fiber, to Effect's Cache.get",
    unit: "times",
    atMost: 0.85,
  },
  hitByPromise: {
    title: "a fresh hit by Effect.runPromise, to Effect's Cache.get by it",
    unit: "times",
    atMost: 1,
  },
  hitHeard: {
    title: "a fresh hit with a listener attached, to one without",
    unit: "times",
    atMost: 2.5,
  },
  many: {
    title: "a key of getMany of 100 fresh hits, to a single hit",
    unit: "times",
    atMost: 0.9,
  },
  staleHit: {
    title: "a stale hit that begins a refresh, what the caller waits for, to a fresh hit",
    unit: "times",
    atMost: 6,
  },
  miss: {
    title: "an asynchronous miss, to that of Effect's Cache.get",
    unit: "times",
    atMost: 3.6,
  },
  missWhenFull: {
    title: "a miss that makes another entry leave, to one with room",
    unit: "times",
    atMost: 1.7,
  },
  stampede: {
    title: "1,000 callers of one cold key, to Effect's Cache.get",
    unit: "times",
    atMost: 1.4,
  },
  tagDrop: {
    title: "a tag of 10,000 entries dropped, to one of 100",
    unit: "times",
    atMost: 2,
  },
  hitBytes: {
    title: "bytes allocated by a fresh hit, beyond those of yielding its Exit",
    unit: "bytes",
    atMost: 80,
  },
  staleHitBytes: {
    title: "bytes allocated by a stale hit whose refresh is under way",
    unit: "bytes",
    atMost: 680,
  },
  manyBytes: {
    title: "bytes allocated by getMany of 100 fresh hits, for each key",
    unit: "bytes",
    atMost: 120,
  },
  churnBytes: {
    title: "bytes allocated by a new key in a full map, beyond key and value",
    unit: "bytes",
    atMost: 8,
  },
  missBytes: {
    title: "bytes allocated by an asynchronous miss, what is kept included",
    unit: "bytes",
    atMost: 9_000,
  },
  hitForks: { title: "fibers begun by a fresh hit", unit: "count", atMost: 0 },
  hitReadings: { title: "clock readings of a fresh hit", unit: "count", atMost: 1 },
  hitMonotonic: {
    title: "readings of monotonic time by a fresh hit, under a clock that is not the system's",
    unit: "count",
    atMost: 1,
  },
  hitDraws: { title: "random draws of a fresh hit", unit: "count", atMost: 0 },
  staleHitForks: {
    title: "fibers begun by a stale hit that begins a refresh",
    unit: "count",
    atMost: 1.01,
  },
  staleHitUnderWayForks: {
    title: "fibers begun by a stale hit whose refresh is under way",
    unit: "count",
    atMost: 0,
  },
  manyForks: {
    title: "fibers begun by getMany of fresh hits, for each key",
    unit: "count",
    atMost: 0,
  },
  manyReadings: {
    title: "clock readings of getMany of fresh hits, for each key",
    unit: "count",
    atMost: 0.02,
  },
  missForks: { title: "fibers begun by an asynchronous miss", unit: "count", atMost: 1 },
  missSleeps: {
    title: "sleeps begun by an asynchronous miss",
    unit: "count",
    atMost: 0.01,
  },
} as const satisfies Readonly<Record<string, Bound>>

export type CheckName = keyof typeof bounds

export const isCheck = (name: string): name is CheckName => Object.hasOwn(bounds, name)
