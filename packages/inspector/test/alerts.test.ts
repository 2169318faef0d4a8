/** Every alert fires on its trouble, clears after it, and is silent beside it: by promtool, on made-up series. */
import { Rules } from "@larder/inspector"
import { describe, expect, it } from "vitest"
import { type Case, differences, hasPromtool } from "./support/promtool.ts"
import { counter, gauge, type Phase, restarted } from "./support/series.ts"

type Phases = ReadonlyArray<Phase>

const answers = (larder: string, source: string, outcome: string): string =>
  `larder_answers_total{larder="${larder}",instance="a",source="${source}",outcome="${outcome}"}`

const stale = (larder: string, reason: string): string =>
  `larder_stale_answers_total{larder="${larder}",instance="a",reason="${reason}"}`

const objective = (larder: string, phases: Phases, within: Phases) => ({
  [answers(larder, "memory", "fresh")]: counter(...phases),
  [`larder_answers_within_objective_total{larder="${larder}",instance="a"}`]: counter(...within),
  [`larder_objective_ratio{larder="${larder}",instance="a"}`]: gauge([1_000, 0.99]),
})

const audits = (larder: string, counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    Object.entries(counts).map(([result, perMinute]) => [
      `larder_audits_total{larder="${larder}",instance="a",result="${result}"}`,
      counter([100, perMinute], [100, result === "differs" ? 0 : perMinute]),
    ]),
  )

const lockContention: Case = {
  name: "HighLockContention",
  series: {
    // 12 s in each minute.
    [`larder_lease_wait_seconds_sum{larder="contended",instance="a"}`]: counter(
      [20, 0],
      [20, 6],
      [20, 0],
    ),
    [`larder_lease_wait_seconds_sum{larder="contended",instance="b"}`]: counter(
      [20, 0],
      [20, 6],
      [20, 0],
    ),
    [`larder_lease_wait_seconds_sum{larder="calm",instance="a"}`]: counter([60, 3]),
    [`larder_lease_wait_seconds_sum{larder="burst",instance="a"}`]: counter(
      [20, 0],
      [2, 12],
      [38, 0],
    ),
  },
  firing: { 20: [], 25: [], 35: ["HighLockContention contended warning"], 50: [] },
  told: [
    {
      minute: 35,
      alert: "HighLockContention",
      labels: { larder: "contended", severity: "warning" },
      summary: "Callers of contended wait 0.20 s in each second for lookups of other nodes.",
      runbook: "docs/runbook.md#highlockcontention",
    },
  ],
}

const notClosed = (larder: string): string =>
  `larder_breaker_not_closed_seconds{larder="${larder}",instance="a",breaker="upstream"}`

const minutesOpen = Array.from({ length: 10 }, (_, minute) => [1, minute * 60] as const)

const breakerOpen: Case = {
  name: "CircuitBreakerOpen",
  series: {
    // Its probes fail, and do not start the time again.
    [notClosed("down")]: gauge([10, 0], ...minutesOpen, [10, 0]),
    [notClosed("flapping")]: gauge(
      ...Array.from({ length: 15 }, () => [[1, 50] as const, [1, 0] as const]).flat(),
    ),
    [notClosed("short")]: gauge([12, 0], [1, 70], [17, 0]),
    [notClosed("restarted")]: gauge([10, 0], [1, 30], [1, 90], [18, 5]),
  },
  firing: { 11: [], 12: [], 14: ["CircuitBreakerOpen down critical"], 21: [] },
  told: [
    {
      minute: 14,
      alert: "CircuitBreakerOpen",
      labels: { larder: "down", breaker: "upstream", severity: "critical" },
      summary: "The circuit breaker upstream of down has not been closed for 4m 0s.",
      runbook: "docs/runbook.md#circuitbreakeropen",
    },
  ],
}

const gaps: Case = {
  name: "MessageGaps",
  series: {
    [`larder_gaps_total{larder="reconnecting",instance="a"}`]: counter([10, 0], [30, 2], [20, 0]),
    [`larder_gaps_total{larder="reconnected",instance="a"}`]: counter([10, 0], [1, 1], [49, 0]),
  },
  firing: { 15: [], 30: ["MessageGaps reconnecting warning"], 50: [] },
}

export const staleHits: Case = {
  name: "HighStaleHitRatio",
  series: {
    // Upstream is down: two in ten are answered by staleIfError.
    [answers("outage", "memory", "fresh")]: counter([20, 100], [30, 80], [20, 100]),
    [answers("outage", "memory", "stale")]: counter([20, 0], [30, 20], [20, 0]),
    [stale("outage", "breaker_open")]: counter([20, 0], [30, 20], [20, 0]),
    [stale("outage", "revalidating")]: counter([70, 0]),
    // Healthy stale-while-revalidate.
    [answers("revalidating", "memory", "fresh")]: counter([70, 78]),
    [answers("revalidating", "memory", "stale")]: counter([70, 22]),
    [stale("revalidating", "breaker_open")]: counter([70, 0]),
    [stale("revalidating", "revalidating")]: counter([70, 22]),
    // At night a single stale answer is a large share.
    [answers("night", "memory", "fresh")]: counter([70, 1]),
    [answers("night", "memory", "stale")]: counter([70, 1]),
    [stale("night", "failed")]: counter([70, 1]),
    // A short outage after a good day: the ratio of the process's life would not move, this one does.
    [answers("brief", "memory", "fresh")]: counter([20, 100], [5, 50], [45, 100]),
    [answers("brief", "memory", "stale")]: counter([20, 0], [5, 50], [45, 0]),
    [stale("brief", "failed")]: counter([20, 0], [5, 50], [45, 0]),
    // All counters fall to 0.
    [answers("restarted", "memory", "fresh")]: restarted(
      counter([29, 1_000]),
      counter([40, 1_000]),
    ),
    [answers("restarted", "memory", "stale")]: restarted(counter([29, 10]), counter([40, 10])),
    [stale("restarted", "soft_timeout")]: restarted(counter([29, 10]), counter([40, 10])),
  },
  firing: { 20: [], 28: [], 45: ["HighStaleHitRatio outage warning"], 60: [] },
  told: [
    {
      minute: 45,
      alert: "HighStaleHitRatio",
      labels: { larder: "outage", severity: "warning" },
      summary:
        "20% of the answers of outage are stale, for another reason than a refresh behind the answer.",
      runbook: "docs/runbook.md#highstalehitratio",
    },
  ],
}

const fastBurn: Case = {
  name: "FreshnessObjectiveBurning, fast",
  series: {
    ...objective(
      "burning",
      [[460, 100]],
      [
        [400, 100],
        [25, 50],
        [35, 100],
      ],
    ),
    ...objective("within", [[460, 1_000]], [[460, 995]]),
    ...objective(
      "blip",
      [[460, 100]],
      [
        [400, 100],
        [5, 50],
        [55, 100],
      ],
    ),
    [answers("no objective", "memory", "fresh")]: counter([460, 100]),
  },
  firing: { 399: [], 410: [], 424: ["FreshnessObjectiveBurning burning critical"], 432: [] },
  told: [
    {
      minute: 424,
      alert: "FreshnessObjectiveBurning",
      labels: { larder: "burning", severity: "critical" },
      summary:
        "burning answers with older values than its objective allows: in the last hour 20 times as often as its budget has.",
      runbook: "docs/runbook.md#freshnessobjectiveburning",
    },
  ],
}

const slowBurn: Case = {
  name: "FreshnessObjectiveBurning, slow",
  series: {
    ...objective(
      "smouldering",
      [[800, 100]],
      [
        [360, 100],
        [340, 92],
        [100, 100],
      ],
    ),
    ...objective(
      "hour of trouble",
      [[800, 100]],
      [
        [360, 100],
        [60, 92],
        [380, 100],
      ],
    ),
  },
  firing: {
    360: [],
    500: [],
    690: ["FreshnessObjectiveBurning smouldering warning"],
    740: [],
  },
}

const changes: Case = {
  name: "ChangesNotSettled",
  series: {
    [`larder_changes_pending{larder="severed",instance="a"}`]: gauge([10, 0], [10, 3], [10, 0]),
    [`larder_changes_pending{larder="busy",instance="a"}`]: gauge([10, 0], [2, 5], [18, 0]),
  },
  firing: { 9: [], 11: [], 13: ["ChangesNotSettled severed critical"], 20: [] },
  told: [
    {
      minute: 13,
      alert: "ChangesNotSettled",
      labels: { larder: "severed", instance: "a", severity: "critical" },
      summary:
        "3 changes of severed on a are not at the arbiter: other nodes still answer with the old values.",
      runbook: "docs/runbook.md#changesnotsettled",
    },
  ],
}

const outdated: Case = {
  name: "EntriesOutdated",
  series: {
    ...audits("forgetful", { same: 98, differs: 2, failed: 0, skipped: 0 }),
    ...audits("careful", { same: 999, differs: 1, failed: 0, skipped: 0 }),
    ...audits("unreachable", { same: 0, differs: 0, failed: 50, skipped: 50 }),
  },
  firing: { 10: [], 90: ["EntriesOutdated forgetful warning"], 190: [] },
}

const oldestWrite = (larder: string, instance = "a"): string =>
  `larder_outbox_oldest_seconds{larder="${larder}",instance="${instance}"}`

const lagging: Case = {
  name: "WritesLagging",
  series: {
    // Both processes tell of the one outbox that they share.
    [oldestWrite("stuck")]: gauge([10, 0.4], [10, 90], [10, 0]),
    [oldestWrite("stuck", "b")]: gauge([10, 0.4], [10, 95], [10, 0]),
    // Always some write that waits for its flush.
    [oldestWrite("flushed")]: gauge([30, 40]),
    [oldestWrite("held up")]: gauge([10, 0.4], [2, 80], [18, 0.4]),
  },
  firing: { 9: [], 11: [], 13: ["WritesLagging stuck warning"], 20: [] },
  told: [
    {
      minute: 13,
      alert: "WritesLagging",
      labels: { larder: "stuck", severity: "warning" },
      summary: "The source of stuck lacks a write that was acknowledged 1m 35s ago.",
      runbook: "docs/runbook.md#writeslagging",
    },
  ],
}

const writesIn = (larder: string, state: string): string =>
  `larder_outbox_writes{larder="${larder}",instance="a",state="${state}"}`

const dead: Case = {
  name: "WritesDead",
  series: {
    [writesIn("refused", "dead")]: gauge([10, 0], [10, 3], [10, 0]),
    [writesIn("refused", "waiting")]: gauge([30, 0]),
    // Many wait, and some are tried again: none has been given up.
    [writesIn("busy", "dead")]: gauge([30, 0]),
    [writesIn("busy", "waiting")]: gauge([30, 900]),
    [writesIn("busy", "in_flight")]: gauge([30, 100]),
  },
  firing: {
    9: [],
    10: ["WritesDead refused critical"],
    19: ["WritesDead refused critical"],
    20: [],
  },
  told: [
    {
      minute: 10,
      alert: "WritesDead",
      labels: { larder: "refused", severity: "critical" },
      summary: "The source of refused will not get 3 acknowledged writes: they are dead letters.",
      runbook: "docs/runbook.md#writesdead",
    },
  ],
}

const lookupCallers = (larder: string, few: Phases, all: Phases) => ({
  [`larder_lookup_callers_bucket{larder="${larder}",instance="a",le="10"}`]: counter(...few),
  [`larder_lookup_callers_count{larder="${larder}",instance="a"}`]: counter(...all),
})

const stampedes: Case = {
  name: "Stampedes",
  series: {
    ...lookupCallers(
      "expiring",
      [[60, 60]],
      [
        [20, 60],
        [20, 80],
        [20, 60],
      ],
    ),
    // Many lookups, each of which answers a few callers.
    ...lookupCallers("coalescing", [[60, 600]], [[60, 600]]),
    ...lookupCallers(
      "once",
      [[60, 60]],
      [
        [20, 60],
        [1, 80],
        [39, 60],
      ],
    ),
  },
  firing: { 20: [], 35: ["Stampedes expiring warning"], 50: [] },
}

const anomalies = {
  key_pollution: "KeyPollution",
  ttl_too_short: "TtlTooShort",
  cold_start: "ColdStart",
  early_refresh_overload: "EarlyRefreshOverload",
}

const detectors = Object.entries(anomalies).map(([kind, alert]): Case => {
  const anomaly = (larder: string) =>
    `larder_anomaly{larder="${larder}",instance="a",kind="${kind}"}`
  return {
    name: alert,
    series: {
      [anomaly("raised")]: gauge([10, 0], [10, 1], [10, 0]),
      [anomaly("for a moment")]: gauge([10, 0], [4, 1], [16, 0]),
      // Stampedes have an alert of their own.
      [`larder_anomaly{larder="another",instance="a",kind="stampede"}`]: gauge([30, 1]),
      [answers("raised", "memory", "fresh")]: counter([30, 30]),
      [answers("raised", "upstream", "fresh")]: counter([30, 970]),
      [`larder_lookups_total{larder="raised",instance="a",outcome="succeeded"}`]: counter([
        30, 960,
      ]),
    },
    firing: { 9: [], 14: [], 16: [`${alert} raised warning`], 20: [] },
  }
})

const pollution: Case = {
  ...detectors[0]!,
  name: "KeyPollution with figures",
  told: [
    {
      minute: 16,
      alert: "KeyPollution",
      labels: { larder: "raised", instance: "a", kind: "key_pollution", severity: "warning" },
      summary: "The keys of raised on a hardly ever return: the hit ratio is 3%.",
      runbook: "docs/runbook.md#keypollution",
    },
  ],
}

const cases: ReadonlyArray<Case> = [
  lockContention,
  breakerOpen,
  gaps,
  staleHits,
  fastBurn,
  slowBurn,
  changes,
  outdated,
  lagging,
  dead,
  stampedes,
  ...detectors,
  pollution,
]

describe.skipIf(!hasPromtool)("fires and clears, and is silent beside its trouble:", () => {
  const found = hasPromtool ? differences(Rules.make(), cases) : new Map()

  it.each(cases.map(({ name }) => name))("%s", (name) => {
    expect(found.get(name)).toBe(undefined)
  })

  it("counts all stale answers where the larder has no staleWhileRevalidate", () => {
    const { series } = staleHits
    const firing = {
      45: ["HighStaleHitRatio outage warning", "HighStaleHitRatio revalidating warning"],
    }
    const all = { name: "all", series, firing }
    expect(differences(Rules.make({ countRevalidating: true }), [all])).toEqual(new Map())
  })

  it("does so in a second what takes a minute, with a timeScale of 60", () => {
    const faster = { ...breakerOpen, series: {}, told: [] }
    const seconds = {
      [notClosed("down")]: gauge(...[10, 0.9, 0, 0].map((each) => [10, each] as const)),
      [notClosed("short")]: gauge([12, 0], [1, 1.1], [17, 0]),
    }
    const open = {
      ...faster,
      name: "open",
      series: seconds,
      firing: { 5: ["CircuitBreakerOpen down critical"], 13: [], 25: [] },
    }
    // What is few in a minute is many in a second.
    const series = Object.entries(staleHits.series).filter(([each]) => !each.includes("night"))
    const ratios = { ...staleHits, series: Object.fromEntries(series), told: [] }
    expect(differences(Rules.make({ timeScale: 60 }), [open, ratios], "1s")).toEqual(new Map())
  })

  it("notices what is not as expected", () => {
    const wrong = { ...changes, firing: { 13: [] }, told: [] }
    expect([...differences(Rules.make(), [wrong]).keys()]).toEqual(["ChangesNotSettled"])
  })
})
