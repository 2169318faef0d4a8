/** What a write costs beside the source, where nobody else writes. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { quantile } from "../statistics.ts"
import type { Trips } from "./countedTier.ts"
import type { Products, Strategy } from "./strategies.ts"

export interface Cost {
  readonly writeMicros: number
  readonly readMicros: number
  readonly trips: number
}

const timed = <A>(effect: Effect.Effect<A>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeNanos
    yield* effect
    return Number((yield* Clock.currentTimeNanos) - began) / 1_000
  })

/**
 * The medians of `writes` writes of keys that are in the cache, of the writer's next read, and the trips of
 * a write. The source takes no time, so that what is left is the cache's.
 */
export const costOf = (
  strategy: Strategy,
  larder: Products,
  trips: Trips,
  writes: number,
): Effect.Effect<Cost> =>
  Effect.gen(function* () {
    const [written, read]: readonly [Array<number>, Array<number>] = [[], []]
    let made = 0
    for (let i = 0; i < writes; i++) {
      const key = `cost-${i % 64}`
      yield* Effect.orDie(larder.get(key))
      // The value that was looked up reaches the tier after its caller has it.
      yield* Effect.sleep(2)
      const before = trips.count
      written.push(yield* timed(strategy.write(larder, key, Effect.succeed(0))))
      made += trips.count - before
      read.push(yield* timed(Effect.orDie(larder.get(key))))
    }
    const median = (all: ReadonlyArray<number>) =>
      quantile(
        all.toSorted((a, b) => a - b),
        0.5,
      )
    return { writeMicros: median(written), readMicros: median(read), trips: made / writes }
  })
