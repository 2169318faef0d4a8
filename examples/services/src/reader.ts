/** A service that reads prices all the time, and notes what it sees change. */
import { Clock, Effect, Option } from "effect"
import type { Price } from "./price.ts"
import type { Sighting } from "./sighting.ts"

/** How long a reader rests between two looks. */
export const lookEvery = "5 millis"

const isSame = (one: Option.Option<Price>, other: Option.Option<Price>) =>
  Option.isSome(one) && Option.isSome(other)
    ? one.value.version === other.value.version && one.value.cents === other.value.cents
    : Option.isNone(one) && Option.isNone(other)

export interface Watching<E, R, R2> {
  readonly who: string
  readonly ids: ReadonlyArray<string>
  readonly read: (id: string) => Effect.Effect<Option.Option<Price>, E, R>
  readonly saw: (sighting: Sighting) => Effect.Effect<void, never, R2>
}

/** Reads until it is interrupted. Notes the first look at each price, and each that differs from the last. */
export const watch = <E, R, R2>({ ids, read, saw, who }: Watching<E, R, R2>) => {
  const last = new Map<string, Option.Option<Price>>()
  const look = (id: string) =>
    Effect.gen(function* () {
      const price = yield* read(id)
      const before = last.get(id)
      if (before !== undefined && isSame(before, price)) return
      last.set(id, price)
      yield* saw({ who, id, price, at: yield* Clock.currentTimeMillis })
    })
  return Effect.forever(
    Effect.andThen(Effect.forEach(ids, look, { discard: true }), Effect.sleep(lookEvery)),
  )
}
