import { expect, it } from "vitest"
import { layeredNames } from "../../src/contenders/layered.ts"
import { options } from "../../src/faults/options.ts"
import { scenarios } from "../../src/faults/Scenario.ts"
import { UsageError } from "../../src/command.ts"

it("without arguments all libraries take part in all scenarios", () => {
  expect(options([])).toEqual({ libraries: layeredNames, scenarios, json: undefined })
})

it("libraries and scenarios are chosen by name, each once", () => {
  expect(options(["larder", "larder", "--scenario", "cold", "--scenario", "grace"])).toMatchObject({
    libraries: ["larder"],
    scenarios: [{ name: "cold" }, { name: "grace" }],
  })
})

it("the command line names what is wrong and what would be right", () => {
  expect(() => options(["lader"])).toThrow('there is no library "lader": give one of larder, bento')
  expect(() => options(["--scenario", "warm"])).toThrow(
    'there is no scenario "warm": give one of grace, cold, unreachable',
  )
  expect(() => options(["--rounds", "3"])).toThrow(UsageError)
})
