/**
 * The tables of `Decision`, made from the functions themselves: every situation is
 * asked, and situations that differ in nothing that matters share a row.
 * Run it with `node docs/scripts/decision-table.ts` after a change of the decision.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Decision } from "@larder/core"

const page = fileURLToPath(new URL("../state-machine.md", import.meta.url))

/** The words for each value of a field of a situation. The table leaves out empty words. */
type Words = Readonly<Record<string, string>>
type Field = readonly [name: string, words: Words]
type Row = readonly [conditions: ReadonlyArray<string>, answer: string]

const yesOrNo = (name: string, yes: string, no: string): Field => [name, { true: yes, false: no }]

/** Splits situations by the values of fields, only where the answer depends on them. */
const rows = <A extends object>(
  situations: ReadonlyArray<A>,
  answer: (situation: A) => string,
  [first, ...rest]: ReadonlyArray<Field>,
): ReadonlyArray<Row> => {
  const answers = new Set(situations.map(answer))
  if (answers.size === 1 || first === undefined) return [...answers].map((one) => [[], one])
  const [name, words] = first
  const parts = Object.keys(words).flatMap((value) => {
    const those = situations.filter((one) => String(Reflect.get(one, name)) === value)
    return those.length === 0 ? [] : [{ value, rows: rows(those, answer, rest) }]
  })
  const alike = Map.groupBy(parts, (part) => JSON.stringify(part.rows))
  if (alike.size === 1) return parts[0]!.rows
  return [...alike.values()].flatMap((same) => {
    const said = same.map(({ value }) => words[value]!).join(" or ")
    return same[0]!.rows.map(([conditions, one]): Row => [[said, ...conditions], one])
  })
}

const table = (head: ReadonlyArray<string>, lines: ReadonlyArray<ReadonlyArray<string>>) =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const conditionsOf = ([conditions]: Row): string => conditions.join(", ") || "always"

const action = (situation: Decision.Situation): string => {
  const said = Decision.next(situation)
  switch (said._tag) {
    case "Serve":
      return said.refresh ? "return it, refresh in the background" : "return it"
    case "ServeStale":
      return said.refresh
        ? `return it as stale (${said.reason}), refresh in the background`
        : `return it as stale (${said.reason})`
    case "ServeResult":
      return "return the result of the lookup"
    case "ServeNewer":
      return "return the newer value"
    case "Join":
      return "wait for the running lookup"
    case "Begin":
      return "begin a lookup and wait for it"
    case "Fail":
      return "return the failure"
    case "Wait":
      return "continue to wait"
    case "Retry":
      return "ask again"
  }
}

const triggers: Readonly<Record<Decision.Trigger, string>> = {
  arrived: "asks",
  joined: "has joined a running lookup",
  found: "waits, and a tier has answered",
  softTimeout: "has waited for `softTimeout`",
  succeeded: "waited for a lookup that returned a value",
  failed: "waited for a lookup that failed, or until its deadline",
}

const usabilities: Words = {
  fresh: "fresh",
  due: "fresh, early refresh due",
  revalidate: "in revalidate grace",
  error: "in error grace",
  missing: "missing",
}

const newer: Words = {
  none: "not newer by `revision`",
  fresh: "newer by `revision`, and fresh",
  stale: "newer by `revision`, and stale",
}

const ofCallers: ReadonlyArray<Field> = [
  yesOrNo(
    "unconfirmed",
    "a checked read that came after the value was asked for",
    "no check, or the value was asked for later",
  ),
  yesOrNo("isAnswer", "the failure is an answer", "a `get` whose key a bulk lookup left out"),
  yesOrNo("onlyLookup", "it is `refresh`", "it is not `refresh`"),
  yesOrNo("inFlight", "a lookup is running", "no lookup is running"),
  yesOrNo("throttled", "a refresh has just failed", "no refresh has just failed"),
  yesOrNo("failureKnown", "a failure is remembered", "no failure is remembered"),
  yesOrNo("graceDenied", "`graceFor` denies it grace", "it gets grace"),
  yesOrNo("softTimeoutPassed", "`softTimeout` has passed", "`softTimeout` has not passed"),
  yesOrNo("allowStale", "stale values are allowed", "stale values are not allowed"),
  yesOrNo(
    "overtaken",
    "an invalidation came before the caller",
    "no invalidation came before the caller",
  ),
  yesOrNo("isRetry", "it has asked again already", "it has not asked again"),
  yesOrNo("tiersUnread", "a tier may have an entry", "no tier has another entry"),
]

const callers = (): string =>
  table(
    ["the caller", "the known value is", "and", "then"],
    Object.entries(triggers).flatMap(([trigger, does]) => {
      const those = Decision.situations.filter((one) => one.trigger === trigger)
      const [field, words] =
        trigger === "succeeded" ? ["newerKnown", newer] : ["usability", usabilities]
      return Object.entries(words).flatMap(([value, is]) => {
        const situations = those.filter((one) => Reflect.get(one, field) === value)
        const found = rows(situations, action, ofCallers)
        return found.map((row) => [does, is, conditionsOf(row), row[1]])
      })
    }),
  )

const joining = (): string =>
  table(
    ["the flight", "a caller"],
    rows(Decision.joinables, (one) => (Decision.mayJoin(one) ? "joins it" : "begins anew"), [
      yesOrNo("isDetached", "the key has changed since it began", "the key has not changed"),
      [
        "outcome",
        {
          none: "it loads",
          failure: "it has failed",
          ...Object.fromEntries(
            Object.entries(usabilities).map(([value, is]) => [value, `its value is ${is}`]),
          ),
        },
      ],
      yesOrNo(
        "overtaken",
        "one of its tags was invalidated since",
        "none of its tags was invalidated",
      ),
    ]).map((row) => [conditionsOf(row), row[1]]),
  )

const order = (what: string): Words => ({
  older: `older than ${what}`,
  same: `same version as ${what}`,
  newer: `newer than ${what}`,
})

const adopting = (): string => {
  const words: Readonly<Record<Decision.Adoption, string>> = {
    adopt: "is the answer",
    remember: "may be served while the lookup runs, or if it fails",
    ignore: "is ignored",
  }
  return table(
    ["the tier's entry is", "and it"],
    rows(Decision.offers, (one) => words[Decision.adoption(one)], [
      ["freshness", { Fresh: "fresh", Stale: "stale", Missing: "past its life" }],
      yesOrNo("force", "for a `refresh`", "not for a `refresh`"),
      yesOrNo("isYoungEnough", "young enough for all callers", "too old for a caller"),
      yesOrNo("early", "for an early refresh", "not for an early refresh"),
      ["besideMemory", order("memory")],
      ["besideKnown", order("the best known")],
    ]).map((row) => [conditionsOf(row), row[1]]),
  )
}

const confirming = (): string => {
  const words = {
    confirm: "counts as just read from the arbiter",
    drop: "is dropped",
    read: "serves for stale-if-error; the tiers are read, and upstream is asked if they have no answer",
  } as const
  return table(
    ["the arbiter has", "the entry in memory"],
    rows(Decision.confirmables, (one) => words[Decision.confirmation(one)], [
      ["stored", { value: "a value", removal: "a removal", nothing: "nothing" }],
      ["besideMemory", order("memory")],
    ]).map((row) => [conditionsOf(row), row[1]]),
  )
}

const asking = (): string =>
  table(
    ["no tier has an answer, and", "then"],
    rows(
      Decision.unanswered,
      (one) =>
        Decision.beforeLookup(one) === "ask" ? "upstream is asked" : "upstream is not asked",
      [
        yesOrNo("force", "it is `refresh`", "it is not `refresh`"),
        yesOrNo("failureKnown", "a failure is remembered", "no failure is remembered"),
        yesOrNo(
          "allHaveStale",
          "every caller can get a stale value",
          "a caller can get no stale value",
        ),
        yesOrNo("throttled", "a lookup has just failed", "no lookup has just failed"),
        yesOrNo("circuitOpen", "a circuit is open", "no circuit is open"),
      ],
    ).map((row) => [conditionsOf(row), row[1]]),
  )

const tables = { callers, joining, adopting, confirming, asking }

const end = "<!-- end of table -->"

/** The page with the tables as they are now. */
export const withTables = (text: string): string =>
  Object.entries(tables).reduce((so, [name, make]) => {
    const begin = `<!-- ${name}: made by docs/scripts/decision-table.ts -->`
    const from = so.indexOf(begin)
    const to = so.indexOf(end, from)
    if (from < 0 || to < from) throw new Error(`${page} has lost the marks of its table ${name}`)
    return `${so.slice(0, from + begin.length)}\n\n${make()}\n\n${so.slice(to)}`
  }, text)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withTables(readFileSync(page, "utf8")))
}
