/** The dashboard: its queries name what exists and parse, and Grafana's types accept it. */
import type { Dashboard as GrafanaDashboard } from "@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen"
import { InvalidOptions } from "@larder/core"
import { Dashboard, Rules } from "@larder/inspector"
import { describe, expect, it } from "vitest"
import { unknownIn } from "./support/named.ts"
import { hasPromtool, problemsOf } from "./support/promtool.ts"

/** Grafana's enums as the texts and numbers that they are in JSON. */
type Plain<T> = T extends string
  ? `${T}`
  : T extends number
    ? number
    : T extends ReadonlyArray<infer Each>
      ? Array<Plain<Each>>
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T

const board = Dashboard.make()
const panels = board.panels.flatMap((panel) => (panel.type === "row" ? [] : [panel]))
const queries = panels.flatMap(({ targets, title }) =>
  targets.map(({ expr, refId }) => [`${title} ${refId}`, expr] as const),
)
const recorded = new Set(
  Rules.make().groups.flatMap(({ rules }) =>
    rules.flatMap((rule) => ("record" in rule ? [rule.record] : [])),
  ),
)

it("has a row for each question", () => {
  const titles = board.panels.flatMap((panel) => (panel.type === "row" ? [panel.title] : []))
  expect(titles).toEqual([
    "Are callers well?",
    "Where do answers come from?",
    "What does upstream feel?",
    "Is what we give young?",
    "Why do we miss?",
    "Does memory suffice?",
    "Are tiers well?",
    "Do changes arrive?",
    "Are writes delivered?",
  ])
})

it("is a dashboard by the types of Grafana", () => {
  // The compiler checks it.
  const typed: Plain<GrafanaDashboard> = board
  expect(typed.panels?.length).toBe(board.panels.length)
})

it("has ids and places of their own for all panels", () => {
  expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
  const places = board.panels.map(({ gridPos: { x, y } }) => `${x},${y}`)
  expect(new Set(places).size).toBe(places.length)
})

describe("each query", () => {
  it.each(queries)("%s names only what is in the catalogue or recorded", (_, expr) => {
    expect(unknownIn(expr, recorded)).toEqual([])
  })

  it.skipIf(!hasPromtool)("parses", () => {
    const rules = queries.map(([, expr], index) => ({
      record: `larder:panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }))
    expect(problemsOf({ groups: [{ name: "panels", interval: "1m", rules }] })).toBe("")
  })
})

it("refuses options that it cannot use", () => {
  expect(Dashboard.make({ title: "Caches", uid: "caches" })).toMatchObject({
    title: "Caches",
    uid: "caches",
  })
  expect(() => Dashboard.make({ uid: "no spaces" })).toThrow(InvalidOptions)
  expect(() => Dashboard.make({ title: "" })).toThrow("Dashboard: title must be a text")
  expect(() => Dashboard.make({ titel: "x" } as Dashboard.Options)).toThrow(
    "the options are title and uid",
  )
})
