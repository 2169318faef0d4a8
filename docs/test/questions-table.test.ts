/** The table of questions in docs/observing.md names what exists, and leaves no metric, panel or alert out. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type LarderEvent, Metrics } from "@larder/core"
import { Dashboard, Rules } from "@larder/inspector"
import { describe, expect, it } from "vitest"
import { absent, figures } from "../../examples/shop/src/figures.ts"
import { rowsOf, rowsOfWritingBehind, withFigures } from "../scripts/figures.ts"

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), "utf8")

const page = read("observing.md")

/** The parts of a cell; none for a dash. */
const partsOf = (cell = ""): ReadonlyArray<string> => (cell === "-" ? [] : cell.split(", "))

const bare = (part: string): string => part.replaceAll(/^[`_]|[`_]$/g, "")

const rowOf = (
  question: string,
  figure: string,
  [metrics, events, panels, alerts]: ReadonlyArray<string>,
) => ({
  question,
  figure,
  metrics: partsOf(metrics).map(bare),
  events: partsOf(events).map(bare),
  panels: partsOf(panels).map(bare),
  alerts: partsOf(alerts).map((part) => {
    const [, alert = part, anchor = ""] = /^\[(\w+)\]\(runbook\.md#([\w-]+)\)$/.exec(part) ?? []
    return { alert, anchor }
  }),
})

const shown = rowsOf(page).map(([question = "", figure = "", ...cells]) =>
  rowOf(question, figure, cells),
)
const ofWritingBehind = rowsOfWritingBehind(page).map(([question = "", ...cells]) =>
  rowOf(question, "", cells),
)
const rows = [...shown, ...ofWritingBehind]

/** The compiler knows all tags. */
const tags: Readonly<Record<LarderEvent.LarderEvent["_tag"], true>> = {
  Opened: true,
  Hit: true,
  Answered: true,
  StaleServed: true,
  Failed: true,
  Left: true,
  Miss: true,
  LookupStarted: true,
  LookupSucceeded: true,
  LookupFailed: true,
  LookupTimedOut: true,
  LookupRefused: true,
  Coalesced: true,
  EarlyRefresh: true,
  LeaseWon: true,
  LeaseBusy: true,
  LeaseWaited: true,
  LeaseLost: true,
  Committed: true,
  Changed: true,
  Superseded: true,
  TierFailed: true,
  TierWarning: true,
  BreakerChanged: true,
  Evicted: true,
  Undecodable: true,
  Recovered: true,
  GapDetected: true,
  MessageIgnored: true,
  WritesFlushed: true,
  WriteDead: true,
  WriteLagging: true,
  StampedeDetected: true,
  AnomalyChanged: true,
  Audited: true,
  Dropped: true,
}

const isOfOutbox = (name: string): boolean => name.startsWith("larder_outbox_")

const sorted = (names: Iterable<string>) => [...new Set(names)].toSorted()

const titles = Dashboard.make().panels.flatMap((panel) => (panel.type === "row" ? [] : panel.title))
const alerts = Rules.make().groups.flatMap(({ rules }) =>
  rules.flatMap((rule) => ("alert" in rule ? [rule] : [])),
)
const anchors = new Map(
  alerts.map(({ alert, annotations }) => [alert, annotations.runbook_url.split("#")[1]]),
)
const headings = read("runbook.md")
  .split("\n")
  .flatMap((line) =>
    line.startsWith("## ") ? line.slice(3).toLowerCase().replaceAll(" ", "-") : [],
  )

describe("each question", () => {
  it("is one that the demo answers, in the same order, out of the same metrics", () => {
    expect(shown.map(({ metrics, question }) => ({ question, metrics }))).toEqual(
      figures.map(({ metrics, question }) => ({ question, metrics: [...metrics] })),
    )
  })

  it("has the figure of a run", () => {
    expect(shown.filter(({ figure }) => ["", "-", absent].includes(figure))).toEqual([])
  })

  it.each(rows.map((row) => [row.question, row] as const))(
    "%s names only metrics, events, panels, alerts and paragraphs that exist",
    (_, { alerts, events, metrics, panels }) => {
      expect(
        metrics.filter((name) => !Metrics.catalogue.some((each) => each.name === name)),
      ).toEqual([])
      expect(events.filter((tag) => !Object.hasOwn(tags, tag))).toEqual([])
      expect(panels.filter((title) => !titles.includes(title))).toEqual([])
      for (const { alert, anchor } of alerts) {
        expect(anchors.get(alert)).toBe(anchor)
        expect(headings).toContain(anchor)
      }
    },
  )
})

describe("the table", () => {
  it("leaves to writing behind the metrics of outboxes alone, which the demo has not", () => {
    expect(sorted(ofWritingBehind.flatMap(({ metrics }) => metrics))).toEqual(
      sorted(Metrics.catalogue.map(({ name }) => name).filter(isOfOutbox)),
    )
    expect(shown.flatMap(({ metrics }) => metrics).filter(isOfOutbox)).toEqual([])
  })

  it("has every metric of the catalogue", () => {
    expect(sorted(rows.flatMap(({ metrics }) => metrics))).toEqual(
      sorted(Metrics.catalogue.map(({ name }) => name)),
    )
  })

  it("has every panel of the board", () => {
    expect(sorted(rows.flatMap(({ panels }) => panels))).toEqual(sorted(titles))
  })

  it("has every alert", () => {
    expect(sorted(rows.flatMap(({ alerts }) => alerts.map(({ alert }) => alert)))).toEqual(
      sorted(anchors.keys()),
    )
  })

  it("takes its figures from what the demo printed", () => {
    const said = figures.map(({ question }, at) => `${question}   figure ${at}`).join("\n")
    const changed = rowsOf(withFigures(page, said))
    expect(changed.map(([, figure]) => figure)).toEqual(figures.map((_, at) => `figure ${at}`))
    expect(changed.map(([question, , ...rest]) => [question, ...rest])).toEqual(
      rowsOf(page).map(([question, , ...rest]) => [question, ...rest]),
    )
    expect(() => withFigures(page, "")).toThrow("the demo said nothing to: ")
  })
})
