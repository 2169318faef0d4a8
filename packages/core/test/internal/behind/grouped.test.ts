/** Requests of the same moment share one trip. */
import { expect, it } from "@effect/vitest"
import { Effect, References } from "effect"
import { grouped } from "../../../src/internal/behind/grouped.ts"

it.effect("a request that comes while the trips before it end is answered", () =>
  Effect.gen(function* () {
    for (let operations = 10; operations <= 40; operations += 1) {
      const ask = yield* grouped(4, (numbers: ReadonlyArray<number>) =>
        Effect.succeed(numbers),
      ).pipe(
        // The trips yield to the callers after so many operations.
        Effect.provideService(References.MaxOpsBeforeYield, operations),
      )
      const asking = (caller: number) =>
        Effect.gen(function* () {
          for (let n = 0; n < 50; n += 1) {
            expect(yield* ask(n)).toBe(n)
            for (let pause = 0; pause < caller; pause += 1) yield* Effect.yieldNow
          }
        })
      yield* Effect.all([asking(0), asking(1), asking(2), asking(3), asking(5)], {
        concurrency: "unbounded",
      })
    }
  }).pipe(Effect.scoped),
)
