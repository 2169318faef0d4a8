import { describe, expect, it } from "vitest"
import { UsageError } from "../src/command.ts"
import { type Options, options } from "../src/options.ts"
import { planRound } from "../src/run/plan.ts"

const parse = (...args: ReadonlyArray<string>) => options(args, () => 7) as Options

describe("the command line", () => {
  it("has defaults, and draws a seed", () => {
    expect(parse()).toMatchObject({ seconds: 60, seed: 7, nodes: 3, faults: [], round: 1 })
    expect(options(["--help"], () => 0)).toBe("help")
  })

  it("tells stacks from faults", () => {
    expect(parse("--only", "memory+cluster,away,cut")).toMatchObject({
      stacks: ["memory+cluster"],
      faults: ["away", "cut"],
    })
  })

  it.each([
    ["--seconds", "0"],
    ["--seconds", "soon"],
    ["--nodes", "1"],
    ["--only", "floods"],
    ["--onyl", "flood"],
  ])("refuses %s %s", (...args) => {
    expect(() => parse(...args)).toThrow(UsageError)
  })
})

describe("a plan", () => {
  const drawn = (options: Options, round: number) => {
    const { random: _, ...plan } = planRound(options, round)
    return plan
  }

  it("is the same for the same seed and round", () => {
    const chosen = parse("--seed", "3")
    expect(drawn(chosen, 5)).toEqual(drawn(chosen, 5))
    expect(drawn(chosen, 5)).not.toEqual(drawn(chosen, 6))
    expect(drawn(chosen, 5)).not.toEqual(drawn(parse("--seed", "4"), 5))
  })

  it("has faults that suit the stack, and only the chosen ones", () => {
    for (let round = 1; round <= 60; round += 1) {
      const { faults, stack } = planRound(parse("--seed", "3"), round)
      expect(faults.length).toBeGreaterThan(0)
      if (stack !== "memory+cluster") {
        expect(faults.map(({ fault }) => fault.kind)).not.toContain("away")
      }
    }
    const one = planRound(parse("--only", "flood"), 1)
    expect(new Set(one.faults.map(({ fault }) => fault.kind))).toEqual(new Set(["flood"]))
  })
})
