/** A larder without upstream: reads what its owner stores in the shared tier. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import { InvalidKey } from "../../LarderError.ts"
import type { LarderEvent } from "../../LarderEvent.ts"
import type { Stats } from "../lifecycle/stats.ts"
import type { GetOptions } from "./get.ts"
import type { Reading } from "./peek.ts"

/** What a follower is made of: the reading part of a larder. */
interface Readable {
  readonly name: string
  readonly get: (key: unknown, options?: GetOptions) => Effect.Effect<unknown, unknown>
  readonly getMany: (
    keys: Iterable<unknown>,
  ) => Effect.Effect<ReadonlyMap<unknown, Exit.Exit<unknown, unknown>>>
  readonly read: (key: unknown) => Effect.Effect<Reading<unknown>, InvalidKey>
  readonly events: Stream.Stream<LarderEvent>
  readonly stats: Effect.Effect<Stats>
}

const found: (value: unknown) => Effect.Effect<Option.Option<unknown>> = (value) =>
  Exit.succeed(Option.some(value))

/** Other errors say that the tiers have no value in time. */
const notFound = (error: unknown): Effect.Effect<Option.Option<never>, InvalidKey> =>
  error instanceof InvalidKey ? Exit.fail(error) : Exit.succeed(Option.none())

const answered = { onFailure: notFound, onSuccess: found }

export const followerOf = (larder: Readable) => {
  const { events, name, read, stats } = larder
  return {
    name,
    get: (key: unknown, options?: GetOptions) =>
      Effect.matchEffect(larder.get(key, options), answered),
    getMany: <K2>(keys: Iterable<K2>) =>
      Effect.flatMap(larder.getMany(keys), (exits) =>
        Effect.gen(function* () {
          const values = new Map<K2, unknown>()
          for (const [key, exit] of exits) {
            const value = yield* Effect.matchEffect(exit, answered)
            if (Option.isSome(value)) values.set(key as K2, value.value)
          }
          return values
        }),
      ),
    read,
    events,
    stats,
  }
}
