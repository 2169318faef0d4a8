/** `pnpm bench --memory`: a process per round and contender, contenders in turn. */
import { figuresOf } from "../child.ts"
import { environment } from "../environment.ts"
import { heading } from "../table.ts"
import { type ContenderName, contenderNames } from "./contenders.ts"
import { legend, table } from "./report.ts"
import type { Figures } from "./round.ts"

const script = new URL("./round.ts", import.meta.url)

/** A number of entries that mostly fits a processor's cache, and one that does not. */
const sizes = [100_000, 1_000_000]

export const run = async (rounds: number): Promise<void> => {
  console.log([heading(environment(["@larder/core", "lru-cache"])), legend].join("\n"))
  for (const entries of sizes) {
    const seen = new Map(contenderNames.map((name): [ContenderName, Array<Figures>] => [name, []]))
    for (let round = 1; round <= rounds; round++) {
      for (const [name, figures] of seen) {
        process.stderr.write(`${entries} entries, round ${round} of ${rounds}: ${name}\n`)
        const args = [name, String(entries)]
        figures.push(await figuresOf<Figures>(script, args, { flags: ["--expose-gc"] }))
      }
    }
    console.log(`\n${table(entries, seen)}`)
  }
}
