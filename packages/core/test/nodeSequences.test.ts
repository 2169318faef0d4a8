/**
 * The laws of nodes under random histories: one to four nodes over one shared tier, with everything that the
 * simulator can do to them. `docs/simulator.md` says what it judges.
 *
 * A failure names its seed; `pnpm simulate --seed <seed> --nodes <nodes> --steps 60` shrinks it and shows its
 * lanes. `LARDER_SEED=<n>` sets the first seed, `LARDER_RUNS=<n>` sets how many histories there are for each
 * number of nodes.
 */
import { describe, expect, it } from "vitest"
import { faultNames } from "../../simulate/src/plan/faults.ts"
import { generate } from "../../simulate/src/plan/generate.ts"
import { judge } from "../../simulate/src/run/judge.ts"

/** With `CI` set the histories are always the same, so that they do not decide whether a change passes; elsewhere each run draws new ones. */
const drawn = process.env["CI"] === undefined ? Math.floor(Math.random() * 2 ** 31) : 20_261_121
const first = Number(process.env["LARDER_SEED"] ?? drawn)
const runs = Number(process.env["LARDER_RUNS"] ?? 60)

describe("laws 1 to 4, 6 to 13, 15, 18 to 20 and 22 hold whatever happens between nodes", () => {
  it.each([1, 2, 3, 4])("%i nodes", { timeout: 60_000 + 500 * runs }, (nodes) => {
    for (let seed = first; seed < first + runs; seed++) {
      const { violations } = judge(generate(seed, { nodes, steps: 60, faults: faultNames }))
      expect({ seed, violations }).toEqual({ seed, violations: [] })
    }
  })
})
