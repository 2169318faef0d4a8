/** Law 23 over a real Redis: two nodes, two writers, three readers of one key. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { hasRedis, withServer } from "../../src/redis.ts"
import { costOf } from "../../src/writing/cost.ts"
import { open } from "../../src/writing/open.ts"
import { race, type Rows } from "../../src/writing/race.ts"
import { strategies } from "../../src/writing/strategies.ts"

const redis = await hasRedis()

describe.runIf(redis)("writers and readers on two nodes", () => {
  for (const strategy of strategies) {
    const isNaive = strategy.name === "save, then `set`"
    const title = isNaive
      ? `${strategy.name}, leaves values that the source no longer has`
      : `law 23: ${strategy.name} leaves no value that the source no longer has`
    it(title, { timeout: 60_000 }, () =>
      withServer(({ url }) =>
        Effect.gen(function* () {
          const rows: Rows = new Map()
          const trips = { count: 0 }
          const one = yield* open(url, rows, trips, 0)
          const other = yield* open(url, rows, { count: 0 }, 0)
          const larders = [one, other] as const
          const rounds = 60
          const raced = yield* race({ strategy, larders, rows, rounds, writers: 2, lagMillis: 0 })
          if (isNaive) expect(raced.wrong).toBeGreaterThan(0)
          else expect(raced.wrong).toBe(0)
          const cost = yield* costOf(strategy, one, trips, 5)
          expect(cost.writeMicros).toBeGreaterThan(0)
        }).pipe(Effect.scoped, Effect.runPromise),
      ),
    )
  }
})
