/** What callers see in all scenarios: a process for each library, one after the other. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { layered, type LayeredName } from "../contenders/layered.ts"
import { type Environment, environment } from "../environment.ts"
import { heading } from "../table.ts"
import { type Lines, type Seen, table } from "./report.ts"
import { pace, type Scenario, type ScenarioName, upstreamMillis } from "./Scenario.ts"

/** As it is written to a file. */
export interface Report {
  readonly environment: Environment
  readonly scenarios: ReadonlyArray<{
    readonly scenario: ScenarioName
    readonly title: string
    readonly seen: Readonly<Record<string, Seen>>
  }>
}

export interface Measured {
  readonly report: Report
  readonly text: string
}

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
  const lines: Array<Lines[number]> = []
  for (const library of libraries.filter((name) => takesPart(scenario, name))) {
    process.stderr.write(`${scenario.name}: ${library}\n`)
    lines.push([library, await round(scenario, library)])
  }
  return lines
}

const legend = `${pace.calls} calls, one begun every ${pace.everyMillis} ms, each for a key of its own; a lookup takes ${upstreamMillis} ms.
Clients as they are by default. "> 15 s": not waited for any longer.`

export const measured = async (
  libraries: ReadonlyArray<LayeredName>,
  scenarios: ReadonlyArray<Scenario>,
): Promise<Measured> => {
  const place = environment(libraries.flatMap((name) => layered(name).packages))
  const all: Array<readonly [Scenario, Lines]> = []
  for (const scenario of scenarios) all.push([scenario, await run(scenario, libraries)])
  const tables = all.map(([scenario, lines]) => table(scenario, lines))
  return {
    report: {
      environment: place,
      scenarios: all.map(([{ name, title }, lines]) => ({
        scenario: name,
        title,
        seen: Object.fromEntries(lines),
      })),
    },
    text: [heading(place), legend, "", tables.join("\n\n")].join("\n"),
  }
}
