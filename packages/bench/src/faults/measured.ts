/** What callers see in all scenarios: a process for each library, one after the other. */
import { figuresOf } from "../child.ts"
import { layered, type LayeredName, packagesOf } from "../contenders/layered.ts"
import { environment } from "../environment.ts"
import type { Lines, Report, Seen } from "./report.ts"
import { type Scenario, scenarios } from "./Scenario.ts"

const script = new URL("./round.ts", import.meta.url)

const takesPart = ({ needs }: Scenario, library: LayeredName): boolean => {
  const { hasGrace, hasMemory } = layered(library)
  return needs === "nothing" || (hasGrace && hasMemory)
}

const run = async (scenario: Scenario, libraries: ReadonlyArray<LayeredName>): Promise<Lines> => {
  const lines: Record<string, Seen> = {}
  for (const library of libraries.filter((name) => takesPart(scenario, name))) {
    process.stderr.write(`${scenario.name}: ${library}\n`)
    lines[library] = await figuresOf<Seen>(script, [scenario.name, library])
  }
  return lines
}

export const measured = async (libraries: ReadonlyArray<LayeredName>): Promise<Report> => {
  const seen: Array<Report["scenarios"][number]> = []
  for (const scenario of scenarios) {
    const { name, title } = scenario
    seen.push({ scenario: name, title, seen: await run(scenario, libraries) })
  }
  return {
    environment: environment(libraries.flatMap(packagesOf)),
    scenarios: seen,
  }
}
