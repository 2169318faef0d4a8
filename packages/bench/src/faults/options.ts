/** The command line of `pnpm bench:frozen`. */
import { isLayered, type LayeredName, layeredNames } from "../contenders/layered.ts"
import { known, parse } from "../command.ts"
import { type Scenario, scenarios } from "./Scenario.ts"

export interface Options {
  readonly libraries: ReadonlyArray<LayeredName>
  readonly scenarios: ReadonlyArray<Scenario>
  readonly json: string | undefined
}

export const usage = `Usage: pnpm bench:frozen [library ...] [--scenario NAME ...] [--json FILE]

What callers see of Larder and its peers, over memory and Redis, when Redis does not answer:
a process each, one after the other. Some take more than 15 s for the last scenario.

Libraries (all of them by default): ${layeredNames.join(", ")}

Scenarios (all of them by default):
${scenarios.map(({ name, title }) => `  ${name.padEnd(13)}${title}`).join("\n")}

Options:
  --scenario NAME  only this one; may be given several times
  --json FILE      writes the figures as JSON too
  --help           shows this`

const libraryFrom = known("library", layeredNames, (name) => (isLayered(name) ? name : undefined))

const scenarioFrom = known(
  "scenario",
  scenarios.map(({ name }) => name),
  (name) => scenarios.find((scenario) => scenario.name === name),
)

/** The options, or `"help"`. Throws {@link UsageError}. */
export const options = (args: ReadonlyArray<string>): Options | "help" => {
  const { positionals, values } = parse(args, {
    scenario: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  })
  if (values.help) return "help"
  return {
    libraries: positionals.length === 0 ? layeredNames : [...new Set(positionals)].map(libraryFrom),
    scenarios:
      values.scenario.length === 0 ? scenarios : [...new Set(values.scenario)].map(scenarioFrom),
    json: values.json,
  }
}
