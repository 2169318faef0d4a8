/** An upstream with faults. */
import { Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"
import * as Schema from "effect/Schema"
import type { Applied } from "./faults.ts"
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

/** One lookup, with the faults that are on when it begins; `damaged` is what they leave of its answer. */
const around = <A, K, E>(
  { chaos, failure, place }: Way<K, E>,
  keys: readonly [K, ...ReadonlyArray<K>],
  lookup: Effect.Effect<A, E>,
  damaged: (answer: A, faults: Applied["upstream"]) => A = (answer) => answer,
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const faults = chaos.of("upstream", place)
    if (!keys.some((key) => isHit(faults, key))) return lookup
    if (chaos.happens(faults.hang)) return Effect.never
    const broken =
      failure === undefined
        ? Effect.die(new ChaosFailure({ message: `Chaos: ${place} fails` }))
        : Effect.fail(failure(keys[0]))
    return Effect.andThen(
      chaos.pause(faults.latency),
      chaos.happens(faults.failure)
        ? broken
        : Effect.map(lookup, (answer) => damaged(answer, faults)),
    )
  })

const isHit = ({ keys }: Applied["upstream"], key: unknown): boolean =>
  keys === undefined || keys.includes(String(key))

const resolvedWith = <K, A, E>(
  way: Way<K, E>,
  { breakers, lookup, lookupMany }: Upstream.Resolved<K, A, E>,
): Upstream.Resolved<K, A, E> => ({
  breakers,
  lookup: (key, previous) => around(way, [key], lookup(key, previous)),
  lookupMany:
    lookupMany &&
    ((keys) =>
      around(way, keys, lookupMany(keys), (found, faults) => {
        const isLeftOut = (key: K) => isHit(faults, key) && way.chaos.happens(faults.partial)
        return new Map([...found].filter(([key]) => !isLeftOut(key)))
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
