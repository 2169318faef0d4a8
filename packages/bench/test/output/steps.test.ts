import { expect, it } from "vitest"
import { findCase } from "../../src/Case.ts"
import { stepsOf } from "../../src/output/steps.ts"

const hit = findCase("hit")!

it("libraries take turns in every round of every variant", () => {
  const steps = stepsOf([hit], 2, undefined)
  expect(steps.map(({ contender, round, variant }) => `${variant} ${round} ${contender}`)).toEqual([
    "zipf 1 larder",
    "zipf 1 effect",
    "zipf 1 bare Map",
    "zipf 2 larder",
    "zipf 2 effect",
    "zipf 2 bare Map",
    "uniform 1 larder",
    "uniform 1 effect",
    "uniform 1 bare Map",
    "uniform 2 larder",
    "uniform 2 effect",
    "uniform 2 bare Map",
  ])
})

it("a step weighs as much more as it takes samples for longer", () => {
  const [short] = stepsOf([hit], 1, 0.5)
  const [long] = stepsOf([hit], 1, 1.5)
  expect(long!.weight - short!.weight).toBe(1)
})
