/** `pnpm bench:frozen`: see options.ts for its command line. */
import * as command from "../command.ts"
import { writeJson } from "../writeJson.ts"
import { measured } from "./measured.ts"
import { options, type Options, usage } from "./options.ts"
import { text } from "./report.ts"

const main = async ({ json, libraries, scenarios }: Options): Promise<void> => {
  const report = await measured(libraries, scenarios)
  console.log(text(report))
  if (json !== undefined) writeJson(json, report)
}

await command.run(usage, options, main)
