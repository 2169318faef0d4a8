/** The scenario of the command, in virtual time, and once over a real Redis. */
import { LarderTest } from "@larder/testing"
import * as RedisServer from "@larder/testing/RedisServer"
import { assert, describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { run as demo } from "../src/demo.ts"
import * as Larders from "../src/larders.ts"
import { quantile } from "../src/measure.ts"
import * as Network from "../src/network.ts"
import * as Report from "../src/report.ts"
import * as Scenario from "../src/scenario.ts"

const followers = 30
const readers = 10
const queryMillis = 10

const outcomeOf = (pushLimit: number) =>
  Effect.gen(function* () {
    const [writing, reading] = yield* LarderTest.nodes(2, Larders.layer)
    const running = Scenario.run({ reading, writing }, { followers, readers })
    return yield* LarderTest.settle(running)
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.fresh(Layer.merge(Network.layer(queryMillis), LarderTest.layer))),
    Effect.provideService(Larders.PushLimit, pushLimit),
  )

const textsOf = ({ seen }: Scenario.Outcome, when: string, who: string) =>
  seen.find((one) => one.when === when && one.who === who)?.posts.map(({ text }) => text)

describe("the scenario", () => {
  for (const [name, pushLimit] of [
    ["pushed to some", 10],
    ["pushed to all", followers],
    ["pulled by all", 0],
  ] as const) {
    it.effect(`${name}: all see the post, and nobody after its deletion`, () =>
      Effect.gen(function* () {
        const outcome = yield* outcomeOf(pushLimit)
        assert.strictEqual(outcome.toFollowers.length, readers)
        // The author waits for the source to save the post, and to read it once.
        expect(outcome.toAuthor).toBeGreaterThanOrEqual(queryMillis)
        expect(outcome.toAuthor).toBeLessThanOrEqual(2 * queryMillis)
        // The posts of the others are pulled: there is a query for the followers, whoever they are.
        expect(outcome.write.queries).toBe(2)
        // Nobody's timeline is made anew: the new post is the one query.
        expect(outcome.reads.queries).toBe(1)
        for (const who of ["the author", "the first follower", "the last follower"]) {
          const texts = textsOf(outcome, "after the post", who)
          expect(texts?.[0]).toBe("Cache invalidation is solved.")
        }
        for (const who of ["the author", "the first follower"]) {
          const texts = textsOf(outcome, "after the first is deleted", who)
          expect(texts).not.toContain("Cache invalidation is solved.")
        }
      }),
    )
  }

  it.effect("each push costs two steps in the shared tier, and pulling none", () =>
    Effect.gen(function* () {
      const some = yield* outcomeOf(10)
      const all = yield* outcomeOf(followers)
      const none = yield* outcomeOf(0)
      expect(some.write.trips - none.write.trips).toBe(2 * 10)
      expect(all.write.trips - none.write.trips).toBe(2 * followers)
      expect(some.reads.trips).toBeLessThan(all.reads.trips)
      expect(none.reads.trips).toBeLessThan(some.reads.trips)
    }),
  )

  it.effect("the report has the story, and a row for each way", () =>
    Effect.gen(function* () {
      const outcomes = [yield* outcomeOf(10), yield* outcomeOf(followers), yield* outcomeOf(0)]
      const story = Report.story(outcomes[0]!.seen).join("\n")
      expect(story).toContain(
        'the last follower sees ada: "Naming things is next." (on ada: "Cache invalidation is solved.")',
      )
      const [head, ...rows] = Report.table(outcomes, followers)
      expect(head).toContain("seen by the author")
      expect(rows.map((row) => row.split("  ")[0])).toEqual(["push to 10, pull", "push", "pull"])
    }),
  )

  it("quantiles are values that were measured", () => {
    expect(quantile([5, 1, 3], 0.5)).toBe(3)
    expect(quantile([5, 1, 3], 1)).toBe(5)
    expect(quantile([7], 0.01)).toBe(7)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

it.live.skipIf(!hasRedis)(
  "over a real Redis it is the same",
  () =>
    Effect.gen(function* () {
      const settings = { followers, readers, pushLimit: 10, seed: 1, redis: { url: undefined } }
      const outcomes = yield* demo(settings)
      expect(outcomes.map(({ pushLimit }) => pushLimit)).toEqual([10, followers, 0])
      for (const { seen, toFollowers } of outcomes) {
        assert.strictEqual(toFollowers.length, readers)
        const last = seen.at(-1)
        expect(last?.posts.map(({ text }) => text)).not.toContain("Cache invalidation is solved.")
      }
    }),
  60_000,
)
