/** As of when an entry that a flight adopts counts as confirmed. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { consider } from "../../../src/internal/flight/adopt.ts"
import { Flight } from "../../../src/internal/state/flight.ts"
import type { FartherTier } from "../../../src/internal/tier/backingTier.ts"
import { entryOf, makeEngine } from "../../support/engine.ts"

const asOf = (markedAt: number, askedAt: number) =>
  Effect.gen(function* () {
    const arbiter = { name: "shared" } as unknown as FartherTier
    const engine = yield* makeEngine({ arbiter, farther: [arbiter] })
    const began = engine.stopwatch()
    const flight = new Flight("k", "k", engine.versions.asOf(), {
      force: false,
      early: false,
      background: false,
      many: false,
      notBefore: -Infinity,
      stale: undefined,
    })
    flight.askedAt = began + askedAt
    const confirmedAt = began + markedAt
    consider(engine, flight, arbiter, { _tag: "Entry", entry: entryOf(engine), confirmedAt })
    return (engine.near.peek("k")?.confirmedAt ?? 0) - began
  })

it.effect("an entry of the arbiter is as old as the request of its marks", () =>
  Effect.gen(function* () {
    expect(yield* asOf(-500, -100)).toBe(-500)
  }),
)

it.effect("but no younger than its own request, where marks were read meanwhile", () =>
  Effect.gen(function* () {
    expect(yield* asOf(-100, -500)).toBe(-500)
  }),
)
