/**
 * Brings the cache up to date after a flush, before the outbox forgets the write.
 *
 * Race: a lookup, on a node that does not see the outbox, reads the source before the write arrives there
 * and stores what it read after. Without this its old value would stay fresh. Taking the token anew ends
 * the leases of such lookups.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ClaimedWrite } from "../../Outbox.ts"
import { recommitsAtOnce } from "../runtime/limits.ts"
import { replacedBy, type SourceWrite } from "../write/through.ts"
import type { Settings } from "./settings.ts"

/** Nothing waits for the key any more, or what waits cannot be the value of the cache. */
class NoValue extends Data.TaggedError("NoValue")<{}> {}

const recommitOne = <K, A, E>(
  { larder, outbox }: Settings<K, A, E>,
  key: K,
): Effect.Effect<void> => {
  if (outbox.merge !== undefined) return Effect.ignore(larder.remove(key))
  // Looked at under the token. A newer write that waits has taken an older token, so that its value must be
  // the one that is stored; without any, another flusher has this key, and this one knows nothing.
  const newest = (write: SourceWrite) =>
    Effect.flatMap(outbox.newest([key]), (found) => {
      const kept = found.get(key)
      if (kept === undefined || Option.isNone(kept.value)) return Effect.fail(new NoValue())
      // Race: a node with an outbox of its own has put a newer value, and the source has refused this one.
      return (replacedBy(write) ?? 0) > kept.version
        ? Effect.fail(new NoValue())
        : Effect.succeed(kept.value.value)
    })
  return larder
    .through(key, { untouched: (error) => error instanceof NoValue })(newest)
    .pipe(
      Effect.catchCause(() => larder.remove(key)),
      Effect.ignore,
    )
}

export const recommit = <K, A, E>(
  settings: Settings<K, A, E>,
  writes: ReadonlyArray<ClaimedWrite<K, A>>,
): Effect.Effect<void> =>
  Effect.forEach(writes, ({ key }) => recommitOne(settings, key), {
    concurrency: recommitsAtOnce,
    discard: true,
  })
