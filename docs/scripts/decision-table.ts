/**
 * The table of `Decision.next`, made from the function itself: every situation
 * is asked, and situations that differ in nothing that matters share a row.
 * Run it with `node docs/scripts/decision-table.ts` after a change of the decision.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Decision } from "@larder/core"

const page = fileURLToPath(new URL("../state-machine.md", import.meta.url))
const begin = "<!-- decision table: made by docs/scripts/decision-table.ts -->"
const end = "<!-- end of decision table -->"

const happenings: Readonly<Record<Decision.Happening, string>> = {
  arrived: "asks",
  softTimeout: "has waited for `softTimeout`",
  failed: "waited for a lookup that failed",
}

const standings: Readonly<Record<Decision.Standing, string>> = {
  fresh: "fresh",
  due: "fresh, early refresh due",
  revalidate: "in revalidate grace",
  error: "in error grace",
  missing: "missing",
}

const words = (action: Decision.Action): string => {
  switch (action._tag) {
    case "Serve":
      return action.refresh ? "give it, refresh in the background" : "give it"
    case "ServeStale":
      return action.refresh
        ? `give it as stale (${action.reason}), refresh in the background`
        : `give it as stale (${action.reason})`
    case "Join":
      return "wait for the running lookup"
    case "Begin":
      return "begin a lookup and wait for it"
    case "Fail":
      return "give the failure"
    case "Wait":
      return "go on waiting"
  }
}

type Flag = "inFlight" | "throttled" | "failureKnown" | "graceDenied"

const flags: ReadonlyArray<readonly [flag: Flag, yes: string, no: string]> = [
  ["inFlight", "a lookup is running", "no lookup is running"],
  ["throttled", "a refresh has just failed", "no refresh has just failed"],
  ["failureKnown", "a failure is remembered", "no failure is remembered"],
  ["graceDenied", "`graceFor` denies it grace", "it gets grace"],
]

/** Splits situations by flags only where the action depends on them. */
const rows = (
  situations: ReadonlyArray<Decision.Situation>,
  open: typeof flags,
): ReadonlyArray<readonly [conditions: ReadonlyArray<string>, action: string]> => {
  const actions = new Set(situations.map((situation) => words(Decision.next(situation))))
  const [first, ...rest] = open
  if (actions.size === 1 || first === undefined) {
    return [...actions].map((action) => [[], action] as const)
  }
  const [flag, yes, no] = first
  const half = (value: boolean) =>
    rows(
      situations.filter((one) => one[flag] === value),
      rest,
    )
  const [withFlag, without] = [half(true), half(false)]
  if (JSON.stringify(withFlag) === JSON.stringify(without)) return without
  return [
    ...withFlag.map(([conditions, action]) => [[yes, ...conditions], action] as const),
    ...without.map(([conditions, action]) => [[no, ...conditions], action] as const),
  ]
}

export const table = (): string => {
  const lines = ["| the caller | what is there is | and | then |", "| --- | --- | --- | --- |"]
  for (const [happening, asks] of Object.entries(happenings)) {
    for (const [standing, is] of Object.entries(standings)) {
      const situations = Decision.situations.filter(
        (one) => one.happening === happening && one.standing === standing,
      )
      for (const [conditions, action] of rows(situations, flags)) {
        lines.push(`| ${asks} | ${is} | ${conditions.join(", ") || "whatever else"} | ${action} |`)
      }
    }
  }
  return lines.join("\n")
}

/** The page with the table as it is now. */
export const withTable = (text: string): string => {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`${page} has lost the marks of its table`)
  return `${text.slice(0, from + begin.length)}\n\n${table()}\n\n${text.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withTable(readFileSync(page, "utf8")))
}
