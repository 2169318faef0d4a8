/** Measures what callers see in all scenarios, with a process for each library, one after the other. */
import { figuresOf } from "../child.ts"
import { layered } from "../contenders/registry.ts"
import { environment } from "../environment.ts"
import { type Lines, type Report, type Scenario, type Seen } from "./report.ts"

const run = async (scenario: Scenario): Promise<Lines> => {
  const lines: Record<string, Seen> = {}
  for (const [library, { hasGrace }] of Object.entries(layered)) {
    if (scenario === "grace" && !hasGrace) continue
    process.stderr.write(`${scenario}: ${library}\n`)
    lines[library] = await figuresOf<Seen>("./faults/round.ts", [scenario, library])
  }
  return lines
}

export const measured = async (): Promise<Report> => ({
  environment: environment(),
  scenarios: {
    grace: await run("grace"),
    cold: await run("cold"),
    unreachable: await run("unreachable"),
  },
})
