/** Law 19: what a flight took from memory when it began may become suspect while it runs. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bestCandidate } from "../../../src/internal/flight/lookupResult.ts"
import { Flight } from "../../../src/internal/state/flight.ts"
import { keep, makeEngine } from "../../support/engine.ts"

for (const isEvicted of [false, true]) {
  it.effect(
    `the stale value of a flight is no fresh candidate after a gap${isEvicted ? ", also where memory has evicted it" : ""}`,
    () =>
      Effect.gen(function* () {
        const engine = yield* makeEngine()
        keep(engine, "k")
        const flight = new Flight("k", "k", engine.versions.asOf(), {
          force: false,
          early: false,
          background: false,
          many: false,
          notBefore: -Infinity,
          stale: engine.entries.candidate("k", engine.now()),
        })
        expect(bestCandidate(engine, flight)?.freshness).toEqual({ _tag: "Fresh" })
        engine.gaps.begin(undefined, 0)
        if (isEvicted) engine.near.delete("k")
        expect(bestCandidate(engine, flight)?.freshness).toEqual({ _tag: "Stale", grace: "error" })
      }),
  )
}
