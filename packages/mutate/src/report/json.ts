/** The report as JSON. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { figures } from "./figures.ts"
import { byGroup, type Report } from "./text.ts"

export const json = ({ explained, results, sampledOf, seed, untried }: Report) => ({
  sample: sampledOf === undefined ? undefined : { seed, of: Object.fromEntries(sampledOf) },
  untried,
  all: figures(results),
  groups: Object.fromEntries([...byGroup(results)].map(([name, own]) => [name, figures(own)])),
  mutants: results.map(({ fate, mutant }) => ({ ...mutant, fate })),
  explained: explained.map(({ reason, result }) => ({ ...result.mutant, reason })),
})

export const write = (file: string, report: Report): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(json(report), undefined, 2)}\n`)
}
