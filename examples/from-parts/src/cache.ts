import { Coalesce, Deadline, EarlyRefresh, type Entry, FailSafe, Freshness } from "@larder/core"
import { Clock, Data, Duration, Effect, Option, Random } from "effect"

export class TooSlow extends Data.TaggedError("TooSlow")<{ readonly key: unknown }> {}

/** Times in milliseconds. */
export interface Options {
  readonly freshFor: number
  readonly revalidateFor: number
  readonly staleFor: number
  readonly softTimeout: number
  readonly hardTimeout: number
  readonly early: EarlyRefresh.EarlyRefresh
}

export const make = <K, A, E>(lookup: (key: K) => Effect.Effect<A, E>, options: Options) => {
  const entries = new Map<K, Entry.Entry<A>>()
  const coalesce = Coalesce.make<K, A, E | TooSlow>()

  const load = Effect.fnUntraced(function* (key: K) {
    const [took, value] = yield* Effect.timed(lookup(key))
    const storedAt = yield* Clock.currentTimeMillis
    const freshUntil = storedAt + options.freshFor
    entries.set(key, {
      ...{ value, storedAt, freshUntil, version: 0, asOf: 0, tags: [] },
      revalidateUntil: freshUntil + options.revalidateFor,
      staleUntil: freshUntil + Math.max(options.revalidateFor, options.staleFor),
      loadMillis: Duration.toMillis(took),
    })
    return value
  })

  const stale = (key: K) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      Option.fromUndefinedOr(entries.get(key)).pipe(
        Option.filter((entry) => Freshness.of(entry, now)._tag !== "Missing"),
        Option.map((entry) => entry.value),
      ),
    )

  const shared = (key: K) =>
    load(key).pipe(
      Deadline.hard({ after: options.hardTimeout, onTimeout: () => new TooSlow({ key }) }),
      coalesce(key),
    )

  return Effect.fnUntraced(function* (key: K) {
    const entry = entries.get(key)
    const now = yield* Clock.currentTimeMillis
    if (entry !== undefined && now < entry.revalidateUntil) {
      const due = EarlyRefresh.shouldRefresh(options.early, entry, now, 1 - (yield* Random.next))
      if (due || Freshness.of(entry, now)._tag === "Stale")
        yield* Effect.forkDetach(Effect.ignore(shared(key)), { startImmediately: true })
      return entry.value
    }
    return yield* shared(key).pipe(
      FailSafe.orStale({ stale: () => entries.get(key) }),
      Deadline.soft({ after: options.softTimeout, orElse: () => stale(key) }),
    )
  })
}
