/** What a run will do, in the order in which it does it. */
import type { Case } from "../Case.ts"
import type { Step } from "./progress.ts"

/** To start, fill and warm up; about. */
const secondsBefore = 2

/** `seconds`: for which each takes samples, where not for as long as its case says. */
export const stepsOf = (
  cases: ReadonlyArray<Case>,
  rounds: number,
  seconds: number | undefined,
): ReadonlyArray<Step> =>
  cases.flatMap((bench) =>
    bench.variants.flatMap((variant) =>
      Array.from({ length: rounds }, (_, index) =>
        bench.entrants.map(({ name }): Step => ({
          case: bench.name,
          variant: variant.name,
          round: index + 1,
          rounds,
          contender: name,
          weight: secondsBefore + (seconds ?? bench.seconds),
        })),
      ).flat(),
    ),
  )
