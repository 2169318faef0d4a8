/**
 * The alarms that the detectors raise over a trace, replayed in virtual time by callers who use the larder
 * well: each of them is a false one.
 */
import {
  Detectors,
  EarlyRefresh,
  Instrument,
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { generator, type Trace } from "@larder/traces"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { aligned } from "../table.ts"

/** How callers use the larder. */
export interface Usage {
  readonly name: string
  /** `gap`: three quarters of the reads of a key come within so many ms after the one before. */
  readonly policy: (gap: number) => Policy.Policy
  /** For how long a value of the source lasts, ms. */
  readonly changesEvery?: number
}

/** The shortest freshness that is worth a cache, ms. */
const leastFreshFor = 1_000

/** A grace of a minute, an early refresh, and none: with freshness that suits the reads. */
export const usages: ReadonlyArray<Usage> = [
  {
    name: "10 minutes, grace",
    policy: () =>
      Policy.make({
        freshFor: "10 minutes",
        staleWhileRevalidate: "1 minute",
        staleIfError: "1 hour",
      }),
  },
  {
    name: "10 minutes, early",
    policy: () =>
      Policy.make({ freshFor: "10 minutes", jitter: 0.1, earlyRefresh: EarlyRefresh.xfetch() }),
  },
  {
    name: "as reads come, no grace",
    policy: (gap) => Policy.make({ freshFor: Math.max(leastFreshFor, 1.5 * gap) }),
  },
  {
    name: "5 minutes, revision",
    policy: () => Policy.make({ freshFor: "5 minutes" }),
    changesEvery: 5 * 60_000,
  },
]

/** Requests a second, so that each window of 30 seconds has enough answers to be judged. */
const perSecond = 10
const tickMillis = 500
const perTick = (perSecond * tickMillis) / 1_000
/** ms: a lookup takes from 20 to 100. */
const [fastest, slowest] = [20, 100]
const windowMillis = 30_000

/** The upper quartile of the times between two reads of one key, ms. */
export const usualGap = (requests: Uint32Array): number => {
  const last = new Map<number, number>()
  const gaps: Array<number> = []
  for (const [at, place] of requests.entries()) {
    const before = last.get(place)
    if (before !== undefined) gaps.push(at - before)
    last.set(place, at)
  }
  const upper = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length * 0.75)] ?? 0
  return Math.ceil((upper * 1_000) / perSecond)
}

type Change = LarderEvent.AnomalyChanged

export interface Alarms {
  /** Windows of 30 seconds. */
  readonly windows: number
  /** The windows at whose end an anomaly is raised. */
  readonly under: number
  /** How often each anomaly was raised. */
  readonly raised: ReadonlyMap<string, number>
}

const alarmsOf = (windows: number, changes: ReadonlyArray<Change>, from: number): Alarms => {
  const raised = new Map<string, number>()
  const state = new Map<string, boolean>()
  const rest = [...changes]
  let under = 0
  for (let window = 1; window <= windows; window++) {
    while (rest[0] !== undefined && rest[0].at <= from + window * windowMillis) {
      const change = rest.shift()!
      state.set(change.kind, change.raised)
      if (change.raised) raised.set(change.kind, (raised.get(change.kind) ?? 0) + 1)
    }
    if ([...state.values()].includes(true)) under += 1
  }
  return { windows, under, raised }
}

const began = 1_790_000_000_000

/** The alarms over the first requests of a trace. */
export const alarms = (
  { keys, requests }: Trace,
  size: number,
  { changesEvery, policy }: Usage,
  most: number,
): Effect.Effect<Alarms> => {
  const asked = requests.subarray(0, most)
  const windows = Math.floor(((asked.length / perSecond) * 1_000) / windowMillis)
  const changes: Array<Change> = []
  const random = generator(1)
  const revision = (at: number): number =>
    changesEvery === undefined ? 0 : Math.floor(at / changesEvery)
  const program = Effect.gen(function* () {
    yield* TestClock.setTime(began)
    const larder = yield* Larder.make({
      name: "replayed",
      policy: policy(usualGap(asked)),
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.delay(
            Effect.clockWith((clock) =>
              Effect.sync(() => revision(clock.currentTimeMillisUnsafe())),
            ),
            Duration.millis(fastest + Math.floor(random() * (slowest - fastest))),
          ),
      }),
      ...(changesEvery === undefined ? {} : { revision: (value: number) => value }),
    })
    for (let at = 0; at < asked.length; at += perTick) {
      for (const place of asked.subarray(at, at + perTick)) {
        yield* Effect.forkChild(larder.get(keys[place]!), { startImmediately: true })
      }
      yield* TestClock.adjust(Duration.millis(tickMillis))
    }
  })
  return program.pipe(
    Effect.provide([TierStack.layer(MemoryTier.layer({ maxEntries: size })), Detectors.layer()]),
    Effect.provideService(Instrument.Instrument, {
      event: (event) => {
        if (event._tag === "AnomalyChanged") changes.push(event)
      },
      hits: "none",
    }),
    Effect.scoped,
    Effect.provide(Logger.layer([])),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Random.withSeed(1),
    Effect.provide(TestClock.layer()),
    Effect.orDie,
    Effect.map(() => alarmsOf(windows, changes, began)),
  )
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`

const kindsOf = ({ raised }: Alarms): string =>
  raised.size === 0 ? "none" : [...raised].map(([kind, times]) => `${kind} ${times}`).join(", ")

export interface Replayed {
  readonly trace: string
  readonly size: number
  readonly usage: string
  readonly alarms: Alarms
}

const total = (all: ReadonlyArray<Replayed>, of: (alarms: Alarms) => number): number =>
  all.reduce((sum, { alarms }) => sum + of(alarms), 0)

export const raisedIn = ({ raised }: Alarms): number =>
  [...raised.values()].reduce((sum, times) => sum + times, 0)

/** One replay a line, and all together. */
export const table = (all: ReadonlyArray<Replayed>): string => {
  const heads = ["trace", "freshness", "size", "windows", "under alarm", "raised"]
  const rows = all.map(({ alarms, size, trace, usage }) => [
    trace,
    usage,
    size.toLocaleString("en"),
    String(alarms.windows),
    percent(alarms.under, alarms.windows),
    kindsOf(alarms),
  ])
  const windows = total(all, ({ windows }) => windows)
  const last = `all: ${windows.toLocaleString("en")} windows, ${total(all, raisedIn)} alarms raised, ${percent(
    total(all, ({ under }) => under),
    windows,
  )} of the windows under alarm`
  return [...aligned([heads, ...rows], 2), "", last].join("\n")
}

export const legend = `Alarms of all detectors over the first requests of each trace: ${perSecond} requests a second in virtual time, to a larder with
memory of so many entries whose lookups take ${fastest} to ${slowest} ms, with freshness that suits them. Each alarm is a false one.`
