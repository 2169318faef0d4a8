/** Counts the events of the larder while it runs. */
import { type LarderEvent } from "@larder/core"
import { Effect, type Scope, Stream } from "effect"
import { Products } from "./products.ts"

type Event = LarderEvent.LarderEvent

/** The name under which an event is counted. */
const nameOf = (event: Event): string => {
  switch (event._tag) {
    case "StaleServed":
      return `${event._tag} ${event.reason}`
    case "Answered":
      return `${event._tag} ${event.tier}`
    case "BreakerChanged":
      return `${event._tag} ${event.to}`
    default:
      return event._tag
  }
}

export type Counts = ReadonlyMap<string, number>

/** Adds the events to the counts from now on, until the scope closes. */
export const watch = (
  counts: Map<string, number>,
): Effect.Effect<void, never, Products | Scope.Scope> =>
  Effect.gen(function* () {
    const larder = yield* Products
    yield* larder.events.pipe(
      Stream.runForEach((event) =>
        Effect.sync(() => {
          const name = nameOf(event)
          counts.set(name, (counts.get(name) ?? 0) + 1)
        }),
      ),
      // Start at once: otherwise the stream misses events before this fiber's first turn.
      Effect.forkScoped({ startImmediately: true }),
    )
  })

const told: ReadonlyArray<readonly [name: string, words: string]> = [
  ["StaleServed revalidating", "stale pages given while they were refreshed"],
  ["StaleServed failed", "given because the lookup had failed"],
  ["StaleServed breakerOpen", "because the breaker was open"],
  ["StaleServed softTimeout", "because the lookup took too long"],
  ["StaleServed shed", "because too many lookups were running"],
  ["Answered sqlite", "answered from the file"],
  ["EarlyRefresh", "early refreshes"],
  ["Coalesced", "callers joined a lookup that was already running"],
  ["BreakerChanged Open", "openings of the breaker"],
]

/** The counts in words, without those that are zero. */
export const describe = (counts: Counts): string => {
  const parts = told.flatMap(([name, words]) => {
    const count = counts.get(name)
    return count === undefined ? [] : [`${count.toLocaleString("en")} ${words}`]
  })
  return parts.length === 0 ? "" : `Inside Larder: ${parts.join("; ")}.`
}
