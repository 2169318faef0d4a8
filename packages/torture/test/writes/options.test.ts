import { describe, expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { combos } from "../../src/writes/Config.ts"
import { options } from "../../src/writes/options.ts"

const of = (...args: ReadonlyArray<string>) => options(args, () => 7)

describe("the command line", () => {
  it("has defaults", () => {
    expect(of()).toEqual({ seconds: 60, seed: 7, combos, keep: false })
    expect(of("--help")).toBe("help")
  })

  it("chooses sources", () => {
    expect(of("--only", "redis,memory", "--seed", "3", "--seconds", "5", "--keep")).toEqual({
      seconds: 5,
      seed: 3,
      combos: ["redis", "memory"],
      keep: true,
    })
  })

  it.each([
    ["--only", "mysql"],
    ["--seconds", "0"],
    ["--seed", "x"],
    ["--nodes", "3"],
  ])("refuses %s %s", (...args) => {
    expect(() => of(...args)).toThrow(UsageError)
  })
})
