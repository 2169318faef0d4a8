/**
 * The table of metrics in docs/observing.md, which is that of `Metrics.catalogue`. Run it with
 * `node docs/scripts/metrics-table.ts` after a change of the catalogue.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Metrics } from "@larder/core"

const page = fileURLToPath(new URL("../observing.md", import.meta.url))
const begin = "<!-- metrics: made by docs/scripts/metrics-table.ts -->"
const end = "<!-- end of metrics -->"

const code = (text: string): string => `\`${text}\``

const labelCell = ({ isOpen, name, values }: Metrics.Label): string => {
  const known = values.map(code).join(" ")
  if (!isOpen) return `${code(name)}: ${known}`
  return values.length === 0 ? code(name) : `${code(name)}: ${known}, and names`
}

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The table in Markdown. */
export const table: string = [
  row(["metric", "type, unit", "labels", "what it says"]),
  row(["---", "---", "---", "---"]),
  ...Metrics.catalogue.map(({ help, labels, name, type, unit }) =>
    row([code(name), `${type}, ${code(unit)}`, labels.map(labelCell).join("; "), help]),
  ),
].join("\n")

const isSame = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): boolean =>
  one.join(" ") === other.join(" ")

/** The buckets in Markdown: one line for all histograms that have the same. */
export const buckets: string = Metrics.catalogue
  .flatMap(({ buckets = [] }) => (buckets.length === 0 ? [] : [buckets]))
  .filter((own, i, all) => all.findIndex((other) => isSame(own, other)) === i)
  .map((own) => {
    const names = Metrics.catalogue.flatMap(({ buckets, name }) =>
      buckets !== undefined && isSame(buckets, own) ? [code(name)] : [],
    )
    return `- ${names.join(", ")}: ${own.join(", ")}`
  })
  .join("\n")

/** The page with this table in the place of its own. */
export const withTable = (text: string): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no place for the table: ${begin}`)
  const made = `${table}\n\nThe buckets of the histograms, in their unit:\n\n${buckets}`
  return `${text.slice(0, from)}${begin}\n\n${made}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withTable(readFileSync(page, "utf8")))
}
