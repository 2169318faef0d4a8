/**
 * The table of strategies in docs/writing.md: `pnpm writing | node docs/scripts/writing-table.ts` brings it
 * up to date.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

const page = fileURLToPath(new URL("../writing.md", import.meta.url))
const begin = "<!-- writing: made by `pnpm writing` -->"
const end = "<!-- end of writing -->"

const table = (await text(process.stdin))
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .join("\n")
if (table === "") throw new Error("there is no table in the input; pipe `pnpm writing` into this")
const before = readFileSync(page, "utf8")
const [from, to] = [before.indexOf(begin), before.indexOf(end)]
if (from < 0 || to < from) throw new Error("docs/writing.md has no place for the table")
writeFileSync(page, `${before.slice(0, from + begin.length)}\n\n${table}\n\n${before.slice(to)}`)
