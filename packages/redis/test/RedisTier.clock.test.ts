/** Law 21 over a real server: the clock of a node is ahead, and is set back while it runs. */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { assert, describe } from "vitest"
import { wallClock } from "../../core/test/support/wallClock.ts"
import { until } from "./support/clients.ts"
import { counting } from "./support/nodes.ts"
import { begin, tierTimes } from "./support/outages.ts"
import { redisSuite } from "./support/withRedis.ts"

const tenHours = 36_000_000
const freshFor = 1_000

const numbered = () => counting((_, count) => Effect.succeed(`${count}`))

redisSuite("clocks", () => {
  describe.each([true, false])("with memory: %s", (memory) => {
    it.live(
      "law 21: set back: a value ends after its duration, and is fresh for other nodes until then",
      () =>
        Effect.gen(function* () {
          const { join } = yield* begin({
            memory,
            policy: { ...tierTimes, freshFor, staleIfError: "1 minute" },
          })
          const wall = yield* wallClock
          const [mine, others] = [numbered(), numbered()]
          wall.step(tenHours)
          const a = yield* join({ lookup: mine.lookup }).pipe(
            Effect.provideService(Clock.Clock, wall.clock),
          )
          const b = yield* join({ lookup: others.lookup })
          assert.strictEqual(yield* a.get("k"), "1")
          assert.strictEqual(yield* b.get("k"), "1")
          wall.step(-tenHours)
          assert.strictEqual(yield* a.get("k"), "1")
          const shown = yield* a.read("k")
          const now = yield* Clock.currentTimeMillis
          assert.closeTo(shown.entry?.freshUntil ?? 0, now + freshFor, freshFor)
          const took = yield* until(a.get("k"), (value) => value === "2")
          assert.isAtMost(took, freshFor + 500)
          assert.strictEqual(others.of("k"), 0)
        }),
      15_000,
    )

    it.live(
      "law 21: set forward and back: what Redis has is as old as it is by the clock of Redis",
      () =>
        Effect.gen(function* () {
          const { join } = yield* begin({ memory, policy: { ...tierTimes, freshFor: "1 hour" } })
          const wall = yield* wallClock
          const [mine, others] = [numbered(), numbered()]
          const a = yield* join({ lookup: mine.lookup }).pipe(
            Effect.provideService(Clock.Clock, wall.clock),
          )
          const b = yield* join({ lookup: others.lookup })
          assert.strictEqual(yield* a.get("k"), "1")
          // Its lookup has been stored by then.
          assert.strictEqual(yield* b.get("k"), "1")
          wall.step(tenHours)
          // What memory has is over, what Redis has is by Redis' own clock.
          assert.strictEqual(yield* a.get("k"), "1")
          wall.step(-tenHours)
          assert.strictEqual(yield* a.get("k"), "1")
          assert.deepStrictEqual([mine.of("k"), others.of("k")], [1, 0])
        }),
      15_000,
    )
  })
})
