/** `pnpm bench:readme`: draws all pictures again and writes the README's figures, both from `results/*.json`. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as command from "../command.ts"
import { frozenSection, replaced, section } from "./readme.ts"
import * as results from "./results.ts"

const usage = `Usage: pnpm bench:readme

Draws packages/bench/results/*.svg and writes the figures in README.md, from packages/bench/results/*.json.`

const readme = fileURLToPath(new URL("../../../../README.md", import.meta.url))

const options = (args: ReadonlyArray<string>): Record<string, never> | "help" => {
  const { positionals, values } = command.parse(args, {
    help: { type: "boolean", default: false },
  })
  if (positionals[0] !== undefined) {
    throw new command.UsageError(`${positionals[0]}: it takes no words, give none`)
  }
  return values.help ? "help" : {}
}

const main = async (): Promise<void> => {
  const reports = results.read()
  const frozen = results.readFrozen()
  const measured = replaced(readFileSync(readme, "utf8"), "performance", section(reports))
  const text = frozen === undefined ? measured : replaced(measured, "frozen", frozenSection(frozen))
  for (const [file, picture] of results.pictures(reports)) {
    writeFileSync(join(results.folder, file), picture)
  }
  writeFileSync(readme, text)
}

await command.run(usage, options, main)
