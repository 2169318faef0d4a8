/** Situations in which `pnpm torture` has found faults. `pnpm simulate:proof` holds that each shows its fault. */
import * as fs from "node:fs"
import * as path from "node:path"
import { oldFaults } from "@larder/mutate/oldFaults"
import { root } from "@larder/mutate/copy"
import { describe, expect, it } from "vitest"
import { reading } from "../../src/scenarios/read.ts"
import { recovering } from "../../src/scenarios/recover.ts"
import { faultsOf, type Scenario } from "../../src/scenarios/Scenario.ts"
import { onServers } from "../../src/scenarios/servers.ts"
import { scenarios } from "../../src/scenarios/scenarios.ts"
import { writing } from "../../src/scenarios/write.ts"

const holds = (all: ReadonlyArray<Scenario>) =>
  it.each(all.map((scenario) => [scenario.name, scenario] as const))("%s", (_, scenario) => {
    expect(faultsOf(scenario)).toEqual([])
  })

describe("reads and lookups", () => {
  holds(reading)
})

describe("missed changes and lost connections", () => {
  holds(recovering)
})

describe("sets and queued values", () => {
  holds(writing)
})

describe("an arbiter of several servers", () => {
  holds(onServers)
})

it("every old fault has one scenario, and the guide names it", () => {
  expect(scenarios.map(({ fault }) => fault).toSorted()).toEqual(Object.keys(oldFaults).toSorted())
  const guide = fs.readFileSync(path.join(root, "docs/simulator.md"), "utf8")
  for (const { fault } of scenarios) expect(guide).toContain(`\`${fault}\``)
})
