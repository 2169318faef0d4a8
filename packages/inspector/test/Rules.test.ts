/** The rule file: what it names exists, every alert is explained, and options that cannot be used are refused. */
import { readFileSync } from "node:fs"
import { InvalidOptions } from "@larder/core"
import { Rules } from "@larder/inspector"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { unknownIn } from "./support/named.ts"
import { hasPromtool, problemsOf } from "./support/promtool.ts"

const rulesOf = (file: Rules.RuleFile) => file.groups.flatMap(({ rules }) => rules)
const rules = rulesOf(Rules.make())
const alerts = rules.flatMap((rule) => ("alert" in rule ? [rule] : []))
const recorded = rules.flatMap((rule) => ("record" in rule ? [rule.record] : []))

describe("each rule", () => {
  it.each(rules.map((rule) => ["alert" in rule ? rule.alert : rule.record, rule.expr] as const))(
    "%s names only metrics, labels and values of the catalogue",
    (_, expr) => {
      expect(unknownIn(expr, new Set(recorded))).toEqual([])
    },
  )

  it("is recorded before another reads it", () => {
    rules.forEach(({ expr }, index) => {
      const before = rules.slice(0, index).flatMap((rule) => ("record" in rule ? rule.record : []))
      const read = expr.match(/larder:[\w:]+/g) ?? []
      expect(before).toEqual(expect.arrayContaining(read))
    })
  })

  it.skipIf(!hasPromtool).each([1, 60, 86_400])("parses, with a timeScale of %d", (timeScale) => {
    expect(problemsOf(Rules.make({ timeScale, countRevalidating: true }))).toBe("")
  })

  it.skipIf(!hasPromtool)("would be found if it did not parse", () => {
    const rule = { record: "larder:wrong", expr: "sum(" }
    const broken = { groups: [{ name: "larder", interval: "30s", rules: [rule] }] }
    expect(problemsOf(broken)).toContain("could not parse expression")
  })
})

it("the check of names finds unknown ones", () => {
  const known = new Set(["larder:answers:rate5m"])
  expect(unknownIn("larder:answers:rate5m + larder:else", known)).toEqual(["no metric larder:else"])
  expect(unknownIn("larder_hits_total", known)).toEqual(["no metric larder_hits_total"])
  expect(unknownIn(`larder_entries{cause="x"}`, known)).toEqual([
    "larder_entries has no label cause",
  ])
  expect(unknownIn(`larder_misses_total{cause!~"new|old"}`, known)).toEqual([
    "larder_misses_total has no cause=old",
  ])
  expect(unknownIn(`larder_lookup_callers_bucket{le="11"}`, known)).toEqual([
    "larder_lookup_callers le=11",
  ])
  expect(unknownIn("sum by (larder, tier) (larder_entries)", known)).toEqual([
    "no label tier to group by",
  ])
})

describe("each alert", () => {
  const runbook = readFileSync(new URL("../../../docs/runbook.md", import.meta.url), "utf8")
  const paragraphs = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((text) => {
        const heading = text.slice(0, text.indexOf("\n"))
        return [heading.toLowerCase().replaceAll(" ", "-"), text]
      }),
  )

  it.each(alerts.map((alert) => [alert.alert, alert.labels.severity, alert] as const))(
    "%s (%s) tells its figures, and has a paragraph in the runbook",
    (name, _, { annotations }) => {
      expect(annotations.summary).toMatch(/\{\{ \$labels\.larder \}\}.*\.$/)
      expect(annotations.summary).toMatch(/\$value|with query/)
      const [file, anchor = ""] = annotations.runbook_url.split("#")
      expect(file).toBe("docs/runbook.md")
      const paragraph = paragraphs.get(anchor) ?? ""
      expect(paragraph).toContain(name)
      for (const part of ["Means", "Look at", "Do", "Ignore"]) {
        expect(paragraph).toMatch(new RegExp(`^- \\*\\*${part}[^*]*\\*\\* \\S`, "m"))
      }
    },
  )

  it("that the runbook has is there", () => {
    const anchors = alerts.map(({ annotations }) => annotations.runbook_url.split("#")[1])
    expect([...paragraphs.keys()].toSorted()).toEqual([...new Set(anchors)].toSorted())
  })

  it("links to the runbook that is given", () => {
    const own = rulesOf(Rules.make({ runbook: "https://wiki/larder" }))
    const links = own.flatMap((rule) => ("alert" in rule ? [rule.annotations.runbook_url] : []))
    expect(links).toContain("https://wiki/larder#circuitbreakeropen")
  })
})

describe("the options", () => {
  /** An option of each name, and a part of the expressions that it changes. */
  const changed: Readonly<Record<keyof Rules.Options, readonly [Rules.Options, string]>> = {
    timeScale: [{ timeScale: 2 }, "[2m30s]"],
    runbook: [{ runbook: "https://wiki" }, "https://wiki#"],
    interval: [{ interval: "15 seconds" }, `"interval":"15s"`],
    lockWait: [{ lockWait: 0.25 }, "_seconds_sum[5m])) > 0.25"],
    breakerNotClosed: [{ breakerNotClosed: "2 minutes" }, "not_closed_seconds) > 120"],
    staleRatio: [{ staleRatio: 0.3 }, "forced_stale_ratio:rate5m > 0.3"],
    countRevalidating: [{ countRevalidating: true }, `"larder:stale_ratio:rate5m > 0.1`],
    leastStaleRate: [{ leastStaleRate: 7 }, "larder:answers:rate5m > 7"],
    warningSigmas: [{ warningSigmas: 2.5 }, "larder:hit_ratio:sigmas < -2.5"],
    criticalSigmas: [{ criticalSigmas: 4 }, "larder:lookups:sigmas > 4"],
    leastBaselineRate: [{ leastBaselineRate: 9 }, "larder:answers:rate5m > 9"],
    hitRatioFloor: [{ hitRatioFloor: 0.05 }, "offset 1h), 0.05)"],
    hitRatioFall: [{ hitRatioFall: 0.04 }, "larder:hit_ratio:rate5m > 0.04"],
    latencyFloor: [{ latencyFloor: "7 millis" }, "offset 1h), 0.007)"],
    latencyRise: [{ latencyRise: "30 millis" }, "answer_duration:baseline > 0.03"],
    lookupsFloor: [{ lookupsFloor: 0.7 }, "offset 1h), 0.7)"],
    lookupsRise: [{ lookupsRise: 12 }, "lookups:baseline > 12"],
    fastBurn: [{ fastBurn: 10 }, "objective_burn:rate5m > 10"],
    slowBurn: [{ slowBurn: 3 }, "objective_burn:rate30m > 3"],
    stampedeRate: [{ stampedeRate: 2 }, "larder:stampedes:rate5m > 2"],
    pendingChanges: [{ pendingChanges: 4 }, "larder_changes_pending > 4"],
    outdatedShare: [{ outdatedShare: 0.2 }, "> 0) > 0.2"],
    gapRate: [{ gapRate: 0.5 }, "larder:gaps:rate5m > 0.5"],
    oldestWrite: [
      { oldestWrite: "5 minutes" },
      "max by (larder) (larder_outbox_oldest_seconds) > 300",
    ],
  }

  it.each(Object.entries(changed))("%s has an effect", (_, [options, part]) => {
    expect(JSON.stringify(Rules.make())).not.toContain(part)
    expect(JSON.stringify(Rules.make(options))).toContain(part)
  })

  it("left undefined are left out", () => {
    expect(Rules.make({ staleRatio: undefined })).toEqual(Rules.make())
  })

  it.each([
    [{ staleratio: 0.2 }, "Rules: staleratio is an unknown option; did you mean `staleRatio`?"],
    [
      { staleRatio: 10 },
      "Rules: staleRatio must be a share above 0 and below 1, such as 0.1, got 10",
    ],
    [
      { timeScale: 1 / 60 },
      `Rules: timeScale must be a number of at least 1: 60 makes minutes seconds, got ${1 / 60}`,
    ],
    [
      { breakerNotClosed: "5 parsecs" },
      'Rules: breakerNotClosed must be a duration above 0 and of at most 100 years, such as "1 minute", got "5 parsecs"',
    ],
    [
      { interval: 1e300 },
      'Rules: interval must be a duration above 0 and of at most 100 years, such as "1 minute", got 1e+300',
    ],
    [{ gapRate: null }, "Rules: gapRate must be a number of at least 0, got null"],
    [{ lockWait: Number.NaN }, "Rules: lockWait must be a number of at least 0, got NaN"],
    [{ fastBurn: 0 }, "Rules: fastBurn must be a number above 0, got 0"],
    [
      { criticalSigmas: 1 },
      "Rules: criticalSigmas must be at least warningSigmas, which is 2, got 1",
    ],
    [{ countRevalidating: "yes" }, 'Rules: countRevalidating must be true or false, got "yes"'],
    [
      { runbook: "" },
      'Rules: runbook must be the address of the runbook, such as https://wiki/larder, got ""',
    ],
  ])("refuse %o", (options, message) => {
    const refused = Rules.makeResult(options as Rules.Options)
    expect(Result.isFailure(refused) && refused.failure.message).toBe(message)
    expect(() => Rules.make(options as Rules.Options)).toThrow(InvalidOptions)
  })

  it("that are no object are refused", () => {
    expect(() => Rules.make(0.1 as Rules.Options)).toThrow("Rules: options must be an object with")
  })
})
