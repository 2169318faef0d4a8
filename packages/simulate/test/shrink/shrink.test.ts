import { expect, it } from "vitest"
import { faultNames } from "../../src/plan/faults.ts"
import { generate } from "../../src/plan/generate.ts"
import type { Plan } from "../../src/plan/Plan.ts"
import { shrink } from "../../src/shrink/shrink.ts"

it("leaves the steps that a failure needs, in order, on as few nodes and keys as will do", () => {
  const drawn = generate(5, { nodes: 4, steps: 300, faults: faultNames })
  const needed = [
    { _tag: "kill", node: 3 } as const,
    { _tag: "set", node: 2, key: "key0" } as const,
  ]
  const plan: Plan = {
    ...drawn,
    steps: drawn.steps.toSpliced(100, 0, needed[0]!).toSpliced(200, 0, needed[1]!),
  }
  const fails = ({ steps }: Plan): boolean => {
    const kill = steps.findIndex(({ _tag }) => _tag === "kill")
    return kill >= 0 && steps.slice(kill).some(({ _tag }) => _tag === "set")
  }
  expect(fails(plan)).toBe(true)
  const { config, steps } = shrink(plan, fails)
  expect(steps.map(({ _tag }) => _tag)).toEqual(["kill", "set"])
  expect(config).toMatchObject({ nodes: 1, file: false, latency: 0, skews: [] })
})

it("halves waits while the failure stays", () => {
  const plan = generate(5, { nodes: 1, steps: 1, faults: [] })
  const steps = [{ _tag: "wait", millis: 1_000 }] as const
  const fails = ({ steps: [wait] }: Plan): boolean => wait?._tag === "wait" && wait.millis >= 300
  expect(shrink({ ...plan, steps }, fails).steps).toEqual([{ _tag: "wait", millis: 500 }])
})
