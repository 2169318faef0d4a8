/** What callers see in all scenarios: a process for each library, one after the other. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { layered, type LayeredName } from "../contenders/layered.ts"
import { environment } from "../environment.ts"
import type { Lines, Report, Seen } from "./report.ts"
import type { Scenario } from "./Scenario.ts"

const roundScript = fileURLToPath(new URL("./round.ts", import.meta.url))

/** In a process of its own. What the library prints there is no part of the figures. */
const round = (scenario: Scenario, library: LayeredName): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const child = fork(roundScript, [scenario.name, library], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    })
    child.once("message", (figures: Seen) => resolve(figures))
    child.once("error", reject)
    child.once("exit", (code) => {
      reject(new Error(`${scenario.name} ${library}: ended with ${code} before it had figures`))
    })
  })

const takesPart = ({ needs }: Scenario, library: LayeredName): boolean => {
  const { hasGrace, hasMemory } = layered(library)
  return needs === "nothing" || (hasGrace && hasMemory)
}

const run = async (scenario: Scenario, libraries: ReadonlyArray<LayeredName>): Promise<Lines> => {
  const lines: Record<string, Seen> = {}
  for (const library of libraries.filter((name) => takesPart(scenario, name))) {
    process.stderr.write(`${scenario.name}: ${library}\n`)
    lines[library] = await round(scenario, library)
  }
  return lines
}

export const measured = async (
  libraries: ReadonlyArray<LayeredName>,
  scenarios: ReadonlyArray<Scenario>,
): Promise<Report> => {
  const seen: Array<Report["scenarios"][number]> = []
  for (const scenario of scenarios) {
    const { name, title } = scenario
    seen.push({ scenario: name, title, seen: await run(scenario, libraries) })
  }
  return {
    environment: environment(libraries.flatMap((name) => layered(name).packages)),
    scenarios: seen,
  }
}
