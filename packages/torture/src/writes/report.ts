/** What a run says: a table of what was written and lost, and its violations. */
import { comboOf, type ComboName } from "./Config.ts"
import { type History } from "./History.ts"
import { comboIn, isBehind } from "./keys.ts"
import type { FaultKind } from "./Line.ts"
import { lostWrites, type Violation, waitedAtKill } from "./rules.ts"

const number = (count: number): string => count.toLocaleString("en")

const faultsText = ({ faults }: History): string =>
  [...Map.groupBy(faults, ({ kind }) => kind)]
    .map(([kind, { length }]: readonly [FaultKind, ReadonlyArray<unknown>]) => `${kind} ${length}`)
    .toSorted()
    .join(", ")

const titleOf: Readonly<Record<ComboName, string>> = {
  sqlite: "SQLite, outbox in SQLite",
  postgres: "Postgres, outbox in Postgres",
  redis: "Redis, outbox in Redis",
  memory: "SQLite, outbox in memory",
}

/** A row for each source, in Markdown. */
export const table = (
  history: History,
  violations: ReadonlyArray<Violation>,
  combos: ReadonlyArray<ComboName>,
): ReadonlyArray<string> => {
  const lost = lostWrites(history)
  const row = (name: ComboName): string => {
    const here = <A extends { readonly key: string }>(all: ReadonlyArray<A>) =>
      all.filter(({ key }) => comboIn(key) === name)
    const acknowledged = here(history.acknowledged)
    const puts = acknowledged.filter(({ key }) => isBehind(key))
    const given = here(violations).filter(({ rule }) => rule === "older given as fresh")
    const disagreeing = here(violations).filter(({ rule }) => rule === "nodes disagree")
    const cells = [
      titleOf[name],
      number(acknowledged.length - puts.length),
      number(puts.length),
      number(here(lost).length),
      number(here(history.reads).length),
      number(given.length),
      number(disagreeing.length),
    ]
    return `| ${cells.join(" | ")} |`
  }
  return [
    "| source | writes by `around`, `through`, `update` | puts | of both, lost | reads | older as fresh | disagreements at the end |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...combos.map(row),
  ]
}

const mostShown = 5

const violationText = (violations: ReadonlyArray<Violation>): ReadonlyArray<string> =>
  [...Map.groupBy(violations, ({ rule }) => rule)].flatMap(([rule, all]) => [
    `${rule}: ${all.length}`,
    ...all.slice(0, mostShown).map(({ key, text }) => `  ${key}: ${text}`),
  ])

/** The keys that waited in the memory of each killed process; undefined where no outbox was in memory. */
const waitedText = (history: History, combos: ReadonlyArray<ComboName>): ReadonlyArray<string> => {
  if (combos.every((name) => comboOf[name].outbox !== "memory")) return []
  const waited = [...waitedAtKill(history).values()]
  return [
    `outbox in memory: ${number(waited.reduce((sum, count) => sum + count, 0))} keys waited in processes when they were killed, at most ${Math.max(0, ...waited)} in one`,
  ]
}

export const reportText = (
  history: History,
  violations: ReadonlyArray<Violation>,
  combos: ReadonlyArray<ComboName>,
): string =>
  [
    `faults: ${faultsText(history)}`,
    ...table(history, violations, combos),
    ...waitedText(history, combos),
    ...violationText(violations),
    violations.length === 0 ? "no violation" : `${violations.length} violations`,
  ].join("\n")
