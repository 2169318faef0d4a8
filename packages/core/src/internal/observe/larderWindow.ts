/** The windows of one larder: differences of its counters, and what its events tell besides. */
import type { Evicted, LarderEvent } from "../../LarderEvent.ts"
import { answersOf, noSource, upstreamSource } from "./counters.ts"
import type { Window } from "./countWindow.ts"
import type { OpenLarder } from "./openLarders.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { sampledKeys, stampedeKeys, stampedeMillis } from "../runtime/limits.ts"
import { RecentKeys } from "../runtime/recentKeys.ts"

/** The counts that a window is made of, at one moment. */
type Taken = Omit<
  Window,
  "seconds" | "evictions" | "mostCallers" | "mostLookups" | "coldSeconds" | "samples"
> & { readonly at: number }

const takenFrom = ({ observer, tiers }: OpenLarder): Taken => {
  const { clock, counters, measures } = observer
  const { lookupsByOutcome, missesByCause, refreshes } = counters
  const answers = Object.entries(answersOf(counters, tiers[0] ?? ""))
  const waits = Object.values(measures.waits)
  return {
    // A clock that is set must make no window longer, and no larder cold for good.
    at: monotonicMillis(clock),
    answers: sum(answers, ([, { failed, fresh, stale }]) => fresh + stale + failed),
    hits: sum(answers, ([source, { fresh, stale }]) => (isTier(source) ? fresh + stale : 0)),
    missesByCause: { ...missesByCause },
    waits: sum(waits, ({ state }) => state.count),
    waitSeconds: sum(waits, ({ state }) => state.sum),
    lookups: counters.lookups,
    notModified: lookupsByOutcome.notModified,
    sameRevision: counters.sameRevision,
    earlyRefreshes: refreshes.early + refreshes.scheduled,
    backgroundShed: counters.backgroundShed,
    evictionsUnread: counters.evictionsUnread,
  }
}

/** Entries that have expired, and values that are refused, are not pushed out by others. */
const makesRoom = ({ cause }: Evicted): boolean => cause === "size" || cause === "weight"

const isTier = (source: string): boolean => source !== noSource && source !== upstreamSource

const sum = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number =>
  all.reduce((total, one) => total + of(one), 0)

type Difference = Omit<Taken, "at">

const difference = (now: Taken, before: Taken): Difference => {
  const { at: _, missesByCause, ...counts } = now
  const causes = Object.entries(missesByCause) as ReadonlyArray<
    [keyof Taken["missesByCause"], number]
  >
  const misses = Object.fromEntries(
    causes.map(([cause, count]) => [cause, count - before.missesByCause[cause]]),
  ) as Taken["missesByCause"]
  const others = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [
      name,
      count - before[name as keyof typeof counts],
    ]),
  ) as Omit<Difference, "missesByCause">
  return { ...others, missesByCause: misses }
}

export class LarderWindows {
  readonly #larder: OpenLarder
  #before: Taken
  #coldAt: number
  #evictions = 0
  /** To look a key up again after a failure is a retry: no early refresh and no grace would spare it. */
  readonly #failed = new RecentKeys<number>(stampedeKeys)
  #mostCallers = 0
  #mostLookups = 0
  #samples: ReadonlyArray<string> = []

  constructor(larder: OpenLarder) {
    this.#larder = larder
    this.#before = takenFrom(larder)
    this.#coldAt = larder.madeAt
  }

  #now(): number {
    return monotonicMillis(this.#larder.observer.clock)
  }

  heard(event: LarderEvent): void {
    switch (event._tag) {
      case "StampedeDetected":
        this.#mostCallers = Math.max(this.#mostCallers, event.callers)
        if ((this.#failed.get(event.key) ?? -Infinity) < event.at - stampedeMillis) {
          this.#mostLookups = Math.max(this.#mostLookups, event.lookups)
        }
        return
      case "LookupFailed":
      case "LookupTimedOut":
        this.#failed.set(event.key, event.at)
        return
      case "Evicted":
        if (event.tier === this.#larder.tiers[0] && makesRoom(event)) this.#evictions += 1
        return
      case "Changed":
        if (event.operation === "clear") this.#coldAt = this.#now()
        return
      case "Recovered":
        this.#coldAt = this.#now()
        return
      case "Miss":
      case "Coalesced":
        if (event.cause !== "new" || this.#samples.length >= sampledKeys) return
        if (!this.#samples.includes(event.key)) this.#samples = [...this.#samples, event.key]
    }
  }

  /** Ends a window, and begins the next one. */
  next(): Window {
    const now = takenFrom(this.#larder)
    const before = this.#before
    const { showKey } = this.#larder.observer
    const counts = difference(now, before)
    const window: Window = {
      ...counts,
      seconds: Math.max(0, (now.at - before.at) / 1_000),
      evictions: this.#evictions,
      evictionsUnread: Math.min(this.#evictions, counts.evictionsUnread),
      mostCallers: this.#mostCallers,
      mostLookups: this.#mostLookups,
      coldSeconds: Math.max(0, (now.at - this.#coldAt) / 1_000),
      samples: this.#samples.flatMap((key) => showKey(key) ?? []),
    }
    this.#before = now
    this.#evictions = 0
    this.#mostCallers = 0
    this.#mostLookups = 0
    this.#samples = []
    return window
  }
}
