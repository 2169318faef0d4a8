/** `pnpm bench:frozen`: see options.ts for its command line. */
import { fork } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as command from "../command.ts"
import { layered, type LayeredName } from "../contenders/layered.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import { options, type Options, usage } from "./options.ts"
import { type Lines, type Seen, table } from "./report.ts"
import { pace, type Scenario, upstreamMillis } from "./Scenario.ts"

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

const main = async (chosen: Options): Promise<void> => {
  const place = environment(chosen.libraries.flatMap((name) => layered(name).packages))
  const all: Array<readonly [Scenario, Lines]> = []
  for (const scenario of chosen.scenarios) {
    all.push([scenario, await run(scenario, chosen.libraries)])
  }
  const tables = all.map(([scenario, lines]) => table(scenario, lines))
  console.log([heading(place), legend, "", tables.join("\n\n")].join("\n"))
  if (chosen.json !== undefined) {
    const scenarios = all.map(([{ name, title }, lines]) => ({
      scenario: name,
      title,
      seen: Object.fromEntries(lines),
    }))
    writeFileSync(chosen.json, `${JSON.stringify({ environment: place, scenarios }, null, 2)}\n`)
  }
}

await command.run(usage, options, main)
