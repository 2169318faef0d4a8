/** An upstream with faults. */
import { Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"
import * as Schema from "effect/Schema"
import type { ChaosHandle } from "./handle.ts"

/**
 * The defect of a lookup that fails by chance, where no failure of the upstream's own type is given.
 *
 * **Example**
 *
 * ```ts
 * import { Chaos } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new Chaos.ChaosFailure({ message: "app/upstream fails" })
 * assert.strictEqual(error._tag, "ChaosFailure")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class ChaosFailure extends Schema.TaggedError<ChaosFailure>()("ChaosFailure", {
  message: Schema.String,
}) {}

interface Way<K, E> {
  readonly chaos: ChaosHandle
  /** The place in the handle. */
  readonly place: string
  readonly failure: ((key: K) => E) | undefined
}

/** One lookup, with the faults that are on when it begins. */
const around = <A, K, E>(
  { chaos, failure, place }: Way<K, E>,
  keys: readonly [K, ...ReadonlyArray<K>],
  lookup: Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const faults = chaos.of("upstream", place)
    const { keys: only } = faults
    if (only !== undefined && !keys.some((key) => only.includes(String(key)))) return lookup
    if (chaos.happens(faults.hang)) return Effect.never
    const broken =
      failure === undefined
        ? Effect.die(new ChaosFailure({ message: `Chaos: ${place} fails` }))
        : Effect.fail(failure(keys[0]))
    return Effect.andThen(
      chaos.pause(faults.latency),
      chaos.happens(faults.failure) ? broken : lookup,
    )
  })

const resolvedWith = <K, A, E>(
  way: Way<K, E>,
  { breakers, lookup, lookupMany }: Upstream.Resolved<K, A, E>,
): Upstream.Resolved<K, A, E> => ({
  breakers,
  lookup: (key, previous) => around(way, [key], lookup(key, previous)),
  lookupMany:
    lookupMany &&
    ((keys) =>
      Effect.map(around(way, keys, lookupMany(keys)), (found) => {
        const { partial } = way.chaos.of("upstream", way.place)
        return new Map([...found].filter(() => !way.chaos.happens(partial)))
      })),
})

export const upstreamWith = <K, A, E, R, R2>(
  upstream: Upstream.Upstream<K, A, E, R>,
  way: Effect.Effect<Way<K, E>, never, R2>,
): Upstream.Upstream<K, A, E, R | R2> => ({
  ...Pipeable.Prototype,
  [Upstream.TypeId]: Upstream.TypeId,
  resolve: Effect.zipWith(way, upstream.resolve, (way, resolved) => resolvedWith(way, resolved)),
})
