/** Lines of histories made by hand: sessions are named as their node. */
import { check } from "../../src/check/check.ts"
import type { RuleName } from "../../src/check/Violation.ts"
import type * as L from "../../src/history/Line.ts"

export const round = (of: Partial<L.RoundLine> = {}): L.RoundLine => ({
  t: "round",
  round: 1,
  seed: 1,
  stack: "memory+redis",
  wire: "json",
  freshFor: 60_000,
  life: 120_000,
  hardTimeout: 2_000,
  tierBudget: 500,
  maxFreshFor: 300,
  heartbeat: 1_000,
  ...of,
})

export const opened = (node: string, at = 0, session = node): L.Line => ({
  t: "opened",
  session,
  node,
  larder: "awaited",
  at,
})

let count = 0

/** A change that was acknowledged, and settled unless said otherwise. */
export const change = (
  session: string,
  [begin, end]: readonly [number, number],
  what: Partial<L.ChangeLine> & Pick<L.ChangeLine, "op">,
  ended: Partial<L.ChangedLine> = {},
): ReadonlyArray<L.Line> => {
  const id = `change ${(count += 1)}`
  return [
    { t: "change", session, id, at: begin, ...what },
    { t: "changed", id, at: end, settled: true, pending: [], ...ended },
  ]
}

export const set = (
  session: string,
  times: readonly [number, number],
  key: string,
  value: string,
  ended: Partial<L.ChangedLine> = {},
) => change(session, times, { op: "set", key, value }, ended)

export const unsettled = { settled: false, pending: ["redis"] }

export const lookup = (
  session: string,
  [begin, end]: readonly [number, number],
  key: string,
  value: string,
  failed = false,
): ReadonlyArray<L.Line> => [
  { t: "lookup", session, key, value, at: begin },
  { t: "answered", value, at: end, failed },
]

export const read = (
  session: string,
  [begin, end]: readonly [number, number],
  key: string,
  given: Partial<L.ReadLine>,
): L.Line => ({ t: "read", session, op: "getWithMeta", key, begin, end, ...given })

export const fresh = (value: string, tier = "memory") => ({
  value,
  freshness: "fresh" as const,
  tier,
})

export const rules = (...lines: ReadonlyArray<L.Line | ReadonlyArray<L.Line>>): Array<RuleName> =>
  check([round(), opened("A"), opened("B"), ...lines.flat()]).map(({ rule }) => rule)
