/** The same with real processes over a real Redis, with a publisher in Python. */
import * as RedisServer from "@larder/testing/RedisServer"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Report from "../src/report.ts"
import { followerNames, ownerName, run } from "../src/scenario.ts"
import { latest, type Sighting, wentBack } from "../src/sighting.ts"
import { hasPython } from "../src/supplier.ts"

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined
const hasAll = hasRedis && (await Effect.runPromise(hasPython))
if (hasRedis && !hasAll)
  console.log(
    "No python3 with sqlite3: the test of services that share prices is skipped. Install Python 3.",
  )

/** What each service saw last of a price, by name. */
const centsOf = (sightings: ReadonlyArray<Sighting>, id: string) =>
  [...latest(sightings, id)]
    .map(([who, price]) => `${who} ${Option.getOrUndefined(price)?.cents}`)
    .toSorted()

describe.skipIf(!hasAll)("services in processes of their own", () => {
  it.live(
    "see each change, and no price that goes back",
    () =>
      Effect.gen(function* () {
        const outcome = yield* run({ way: "guarded", url: undefined })
        const { sightings } = outcome
        expect(wentBack(sightings)).toEqual([])
        for (const [id, cents] of [
          ["milk", 138],
          ["tea", 363],
        ] as const) {
          const everybody = [ownerName, ...followerNames].toSorted()
          expect(centsOf(sightings, id)).toEqual(everybody.map((who) => `${who} ${cents}`))
        }
        const story = Report.story(outcome).join("\n")
        expect(story).toMatch(/Python.*\n(.*tea at 3\.30.*\n){3}/)
        expect(story).toContain("The first clerk is told that a newer price was there. It stays.")
        expect(Report.verdict(outcome)).toEqual(["No service saw a price go back."])
      }),
    60_000,
  )
})
