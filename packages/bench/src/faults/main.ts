/** `pnpm bench:frozen`: see options.ts for its command line. */
import { writeFileSync } from "node:fs"
import * as command from "../command.ts"
import { heading } from "../table.ts"
import { measured } from "./measured.ts"
import { options, type Options, usage } from "./options.ts"
import { legend, tables } from "./report.ts"

const main = async ({ json, libraries, scenarios }: Options): Promise<void> => {
  const report = await measured(libraries, scenarios)
  console.log([heading(report.environment), legend, "", tables(report)].join("\n"))
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
}

await command.run(usage, options, main)
