import { expect, it } from "vitest"
import { columns, counted, tally } from "../../src/trips/report.ts"

it("commands are told with how often they come, in the order of their first", () => {
  expect(counted(tally(["get", "evalsha", "evalsha"]))).toBe("GET, 2 EVALSHA")
  expect(counted([])).toBe("none")
})

it("columns are as wide as their widest cell", () => {
  expect(
    columns([
      ["", "trips", "commands"],
      ["miss", "3", "GET"],
    ]),
  ).toBe("        trips  commands\n  miss  3      GET")
})
