/** The alerts that hold the present against the day before: by promtool, over a day of made-up traffic. */
import { Rules } from "@larder/inspector"
import { describe, expect, it } from "vitest"
import { type Case, differences, hasPromtool } from "./support/promtool.ts"
import { counter, counterOf, type Phase, restarted } from "./support/series.ts"

type Phases = ReadonlyArray<Phase>

/** Minutes. */
const day = 1_440
/** More than a day: the baseline is an hour old, and must have been there a day ago. */
const long = day + 70
/** For the hit ratio it need not be as old. */
const short = 240
const trouble = 20
const after = 15

/** Health, then trouble, then health: what happens in each minute. */
const phases = (health: number, well: number, ill: number): Phases => [
  [health, well],
  [trouble, ill],
  [after, well],
]

const answers = (larder: string, source: string): string =>
  `larder_answers_total{larder="${larder}",instance="a",source="${source}",outcome="fresh"}`

/** 600 answers a minute; the shares from memory in health and in trouble. */
const hits = (larder: string, well: number, ill: number, perMinute = 600) => ({
  [answers(larder, "memory")]: counter(...phases(short, perMinute * well, perMinute * ill)),
  [answers(larder, "upstream")]: counter(
    ...phases(short, perMinute * (1 - well), perMinute * (1 - ill)),
  ),
})

/** As many answers as it takes to be judged. */
const busy = (larder: string) => ({
  [answers(larder, "memory")]: counter([long + trouble + after, 600]),
})

const waits = (larder: string, seconds: Phases) => ({
  ...busy(larder),
  [`larder_answer_duration_seconds_count{larder="${larder}",instance="a",source="upstream"}`]:
    counter([long + trouble + after, 100]),
  [`larder_answer_duration_seconds_sum{larder="${larder}",instance="a",source="upstream"}`]:
    counter(...seconds.map(([minutes, mean]): Phase => [minutes, mean * 100])),
})

const lookups = (larder: string, amounts: Phases) => ({
  ...busy(larder),
  [`larder_lookups_total{larder="${larder}",instance="a",outcome="succeeded"}`]: counter(
    ...amounts,
  ),
})

/** Ten minutes of one amount, ten of the other. */
const uneven = (low: number, high: number, end: Phases): Phases => [
  ...Array.from({ length: long / 10 }, (_, i): Phase => [10, i % 2 === 0 ? low : high]),
  ...end,
]

/** A day has a peak and a night; here the morning of the second day ends the series. */
const daily = Array.from({ length: long + trouble + after }, (_, minute) =>
  Math.round(600 - 540 * Math.cos((2 * Math.PI * (minute + 510)) / day)),
)

const hitRatio: Case = {
  name: "HitRatioLow and HitRatioVeryLow",
  series: {
    ...hits("fallen", 0.9, 0.6),
    // Two and a half of the least deviation.
    ...hits("slipped", 0.9, 0.875),
    ...hits("unmoved", 0.9, 0.885),
    // Thirty answers a minute: at night each of them moves the ratio.
    ...hits("night", 0.9, 0.5, 30),
    // All counters begin again; memory is filled within a minute.
    [answers("restarted", "memory")]: restarted(
      counter([short - 1, 540]),
      counter([1, 60], [trouble + after, 540]),
    ),
    [answers("restarted", "upstream")]: restarted(
      counter([short - 1, 60]),
      counter([1, 540], [trouble + after, 60]),
    ),
    // An hour old.
    [answers("young", "memory")]:
      `${"_ ".repeat(short - 60)}${counter([60, 540], [trouble, 60], [after, 540])}`,
    [answers("young", "upstream")]:
      `${"_ ".repeat(short - 60)}${counter([60, 60], [trouble, 540], [after, 60])}`,
  },
  firing: {
    [short]: [],
    // A warning waits for ten minutes, the critical alert for five.
    [short + 9]: ["HitRatioVeryLow fallen critical"],
    [short + trouble]: [
      "HitRatioLow fallen warning",
      "HitRatioLow slipped warning",
      "HitRatioVeryLow fallen critical",
    ],
    [short + trouble + 10]: [],
  },
  told: [
    {
      minute: short + trouble,
      alert: "HitRatioVeryLow",
      labels: { larder: "fallen", severity: "critical" },
      summary:
        "The hit ratio of fallen is 60%, -30.0 standard deviations from its mean of the day before, 90%.",
      runbook: "docs/runbook.md#hitratiolow-and-hitratioverylow",
    },
  ],
}

const latencyAndLookups: Case = {
  name: "LatencyHigh and LookupsHigh",
  series: {
    ...waits("slow", phases(long, 0.05, 0.2)),
    ...waits(
      "slower",
      uneven(0.03, 0.07, [
        [trouble, 0.095],
        [after, 0.05],
      ]),
    ),
    // Far from the mean by its deviation, and yet nothing that anybody notices.
    ...waits("imperceptible", phases(long, 0.001, 0.02)),
    // Some minutes of long waits, as while a database restarts.
    ...waits("hiccup", [
      [long, 0.05],
      [3, 0.5],
      [trouble - 3 + after, 0.05],
    ]),
    ...lookups("flooded", phases(long, 120, 600)),
    ...lookups("busier", phases(long, 120, 198)),
    ...lookups("few more", phases(long, 120, 144)),
    ...busy("daily"),
    [`larder_lookups_total{larder="daily",instance="a",outcome="succeeded"}`]: counterOf(daily),
  },
  firing: {
    // The morning of the first day, the night, the morning of the second.
    120: [],
    930: [],
    1_480: [],
    [long]: [],
    [long + trouble]: [
      "LatencyHigh slow warning",
      "LatencyHigh slower warning",
      "LatencyVeryHigh slow critical",
      "LookupsHigh busier warning",
      "LookupsHigh flooded warning",
      "LookupsVeryHigh flooded critical",
    ],
    [long + trouble + 10]: [],
  },
  told: [
    {
      minute: long + trouble,
      alert: "LatencyVeryHigh",
      labels: { larder: "slow", severity: "critical" },
      summary:
        "Callers of slow that wait do so for 200ms, +30.0 standard deviations from the mean of the day before, 50ms.",
      runbook: "docs/runbook.md#latencyhigh-and-latencyveryhigh",
    },
    {
      minute: long + trouble,
      alert: "LookupsVeryHigh",
      labels: { larder: "flooded", severity: "critical" },
      summary:
        "flooded looks up 10.00 keys a second, +16.0 standard deviations from the mean of the day before, 2.00.",
      runbook: "docs/runbook.md#lookupshigh-and-lookupsveryhigh",
    },
  ],
}

/** The rules that the day of latencies and lookups needs: others would double the time that it takes. */
const ofTheDay = (): Rules.RuleFile => ({
  groups: Rules.make().groups.map((group) => ({
    ...group,
    rules: group.rules.filter((rule) =>
      "record" in rule
        ? /^larder:(answers|answer_duration|lookups):/.test(rule.record)
        : /^L(atency|ookups)/.test(rule.alert),
    ),
  })),
})

describe.skipIf(!hasPromtool)("fires on a deviation from the day before, and clears:", () => {
  it("HitRatioLow and HitRatioVeryLow", () => {
    expect(differences(Rules.make(), [hitRatio])).toEqual(new Map())
  })

  it("LatencyHigh, LatencyVeryHigh, LookupsHigh and LookupsVeryHigh", { timeout: 60_000 }, () => {
    expect(differences(ofTheDay(), [latencyAndLookups])).toEqual(new Map())
  })
})
