import { EarlyRefresh, Entry, Policy } from "@larder/core"
import { type Duration, Result, Schedule } from "effect"
import { describe, expect, it } from "vitest"

const durations = [
  "freshFor",
  "staleWhileRevalidate",
  "staleIfError",
  "softTimeout",
  "hardTimeout",
  "retryAfterFailure",
  "tierTimeout",
  "tierBudget",
] as const

describe("Policy", () => {
  it("the defaults", () => {
    expect(Policy.make({ freshFor: "10 seconds" })).toMatchObject({
      freshFor: 10_000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      jitter: 0,
      earlyRefresh: { _tag: "None" },
      softTimeout: Infinity,
      hardTimeout: 30_000,
      retryAfterFailure: 1_000,
      tierTimeout: 100,
      tierBudget: 200,
    })
    expect(Policy.make({ freshFor: 1, tierTimeout: 250 }).tierBudget).toBe(500)
  })

  it.each(
    durations.flatMap((field) =>
      [-1, Number.NaN, "-Infinity", "nonsense"].map((bad) => [field, bad] as const),
    ),
  )("%s of %s is refused, and named", (field, bad) => {
    const options = { freshFor: 1, [field]: bad as Duration.Input }
    const result = Policy.makeResult(options)
    expect(Result.isFailure(result) && result.failure).toMatchObject({
      _tag: "InvalidPolicy",
      field,
    })
    expect(() => Policy.make(options)).toThrow(Policy.InvalidPolicy)
  })

  it.each([
    ["jitter", { jitter: 1.1 }],
    ["jitter", { jitter: -0.1 }],
    ["jitter", { jitter: Number.NaN }],
    ["hardTimeout", { hardTimeout: 0 }],
    ["hardTimeout", { hardTimeout: "Infinity" }],
    ["softTimeout", { softTimeout: "31 seconds" }],
    ["softTimeout", { softTimeout: 11, hardTimeout: 10 }],
    ["tierTimeout", { tierTimeout: 0 }],
    ["tierTimeout", { tierTimeout: "Infinity", tierBudget: 50 }],
    ["tierBudget", { tierBudget: 50 }],
    ["tierBudget", { tierTimeout: 10, tierBudget: "Infinity" }],
  ] as const)("a contradiction in %s is refused: %j", (field, options) => {
    expect(() => Policy.make({ freshFor: 1, ...options })).toThrow(
      expect.objectContaining({ _tag: "InvalidPolicy", field }),
    )
  })

  it("a budget of one step in a tier is taken, and a soft timeout that is as long as the hard one", () => {
    const policy = {
      freshFor: 1,
      tierTimeout: 50,
      tierBudget: 50,
      softTimeout: 10,
      hardTimeout: 10,
    }
    expect(Policy.make(policy)).toMatchObject(policy)
  })

  it("a policy is good as options for another", () => {
    const base = Policy.make({
      freshFor: "1 minute",
      jitter: 0.1,
      earlyRefresh: EarlyRefresh.after(0.5),
    })
    expect(Policy.make({ ...base, freshFor: 5 })).toEqual({ ...base, freshFor: 5 })
  })

  it("freshUntil + SWR, freshUntil + the longer of SWR and SIE", () => {
    const times = (swr: number, sie: number) =>
      Policy.times(
        Policy.make({ freshFor: 10, staleWhileRevalidate: swr, staleIfError: sie }),
        100,
        0,
      )
    expect(times(5, 20)).toEqual({
      storedAt: 100,
      freshUntil: 110,
      revalidateUntil: 115,
      staleUntil: 130,
    })
    expect(times(20, 5)).toEqual({
      storedAt: 100,
      freshUntil: 110,
      revalidateUntil: 130,
      staleUntil: 130,
    })
    expect(times(0, 0)).toEqual({
      storedAt: 100,
      freshUntil: 110,
      revalidateUntil: 110,
      staleUntil: 110,
    })
  })

  it("jitter shortens freshness by up to its share, and nothing overflows", () => {
    const jittered = Policy.make({ freshFor: 100, jitter: 0.2 })
    expect(Policy.times(jittered, 0, 0).freshUntil).toBe(100)
    expect(Policy.times(jittered, 0, 0.5).freshUntil).toBe(90)
    expect(Policy.times(jittered, 0, 1).freshUntil).toBe(80)
    const endless = Policy.make({ freshFor: "Infinity", staleIfError: "Infinity", jitter: 0.2 })
    const { freshUntil, revalidateUntil, staleUntil } = Policy.times(endless, 1e12, 0.5)
    expect([freshUntil, revalidateUntil, staleUntil]).toEqual(Array(3).fill(Entry.forever))
    expect(Number.isSafeInteger(Entry.forever)).toBe(true)
  })
})

describe("an early refresh made by hand", () => {
  const schedule = Schedule.spaced("1 second")
  it.each([
    ["earlyRefresh", 0.8],
    ["earlyRefresh", "After"],
    ["earlyRefresh", null],
    ["earlyRefresh", {}],
    ["earlyRefresh", { _tag: "after", fraction: 0.8 }],
    ["earlyRefresh", { _tag: "After" }],
    ["earlyRefresh", { _tag: "After", fraction: Number.NaN }],
    ["earlyRefresh", { _tag: "After", fraction: "0.8" }],
    ["earlyRefresh.beta", { _tag: "XFetch", beta: 0, maxFraction: 0.5 }],
    ["earlyRefresh.maxFraction", { _tag: "XFetch", beta: 1, maxFraction: 2 }],
    ["earlyRefresh", { _tag: "Scheduled", early: 0.8, schedule }],
    ["earlyRefresh.schedule", { _tag: "Scheduled", early: EarlyRefresh.after(0.8), schedule: 5 }],
    [
      "earlyRefresh",
      {
        _tag: "Scheduled",
        early: EarlyRefresh.scheduled(EarlyRefresh.xfetch(), schedule),
        schedule,
      },
    ],
  ])("is refused, and named: %s %j", (field, earlyRefresh) => {
    const options = { freshFor: 1, earlyRefresh: earlyRefresh as EarlyRefresh.EarlyRefresh }
    expect(() => Policy.make(options)).toThrow(
      expect.objectContaining({ _tag: "InvalidPolicy", field }),
    )
  })

  it.each([
    [0.8, /^must be made with .*, got 0\.8$/],
    [null, /, got null$/],
    ["After", /, got "After"$/],
    [{}, /, got an object$/],
    [{ _tag: "after" }, /, got an object with _tag "after"$/],
  ])("is refused with what it is: %j", (earlyRefresh, reason) => {
    const result = Policy.makeResult({ freshFor: 1, earlyRefresh: earlyRefresh as never })
    expect(Result.isFailure(result) && result.failure.reason).toMatch(reason)
  })

  it("is taken where it is like one that is made", () => {
    const early = { _tag: "After", fraction: 0.8 } as const
    expect(Policy.make({ freshFor: 1, earlyRefresh: early }).earlyRefresh).toEqual(early)
    const none = { _tag: "Scheduled", early: EarlyRefresh.none, schedule } as const
    expect(Policy.make({ freshFor: 1, earlyRefresh: none }).earlyRefresh).toEqual(none)
  })

  it("scheduled around nonsense is refused", () => {
    const nonsense = [0.8, undefined, EarlyRefresh.scheduled(EarlyRefresh.xfetch(), schedule)]
    for (const early of nonsense) {
      expect(() => EarlyRefresh.scheduled(early as never, schedule)).toThrow(Policy.InvalidPolicy)
    }
    expect(() => EarlyRefresh.scheduled(EarlyRefresh.after(0.8), 5 as never)).toThrow(
      expect.objectContaining({ field: "earlyRefresh.schedule" }),
    )
  })
})

describe("EarlyRefresh", () => {
  const entry = {
    value: 1,
    storedAt: 0,
    freshUntil: 10_000,
    revalidateUntil: 10_000,
    staleUntil: 10_000,
    loadMillis: 100,
    version: 1,
    asOf: 0,
    tags: [],
  }

  it("after(0.8): not before 80 % of the freshness, always from there on", () => {
    const early = EarlyRefresh.after(0.8)
    expect(EarlyRefresh.shouldRefresh(early, entry, 7_999, 1e-12)).toBe(false)
    expect(EarlyRefresh.shouldRefresh(early, entry, 8_000, 1)).toBe(true)
    expect(EarlyRefresh.earliest(early, entry)).toBe(8_000)
  })

  // A linear congruential generator (Knuth, MMIX): the test needs many draws, always the same.
  const draws = (seed: bigint) => {
    let state = seed
    return () => {
      state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n)
      return (Number(state >> 11n) + 1) / 2 ** 53
    }
  }

  it.each([10, 50, 100, 200, 400])(
    "xfetch: at a gap of %i ms the share that refreshes is exp(-g / (beta * loadMillis))",
    (gap) => {
      for (const beta of [0.5, 1, 2]) {
        const early = EarlyRefresh.xfetch({ beta })
        const next = draws(42n)
        const n = 20_000
        let refreshed = 0
        for (let i = 0; i < n; i++) {
          if (EarlyRefresh.shouldRefresh(early, entry, entry.freshUntil - gap, next()))
            refreshed += 1
        }
        const p = Math.exp(-gap / (beta * entry.loadMillis))
        expect(Math.abs(refreshed - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)) + 1)
      }
    },
  )

  it("xfetch: none in a million draws at a gap of 100 load times, always at no gap", () => {
    const early = EarlyRefresh.xfetch({ maxFraction: 1 })
    const quick = { ...entry, loadMillis: 10 }
    const next = draws(7n)
    let refreshed = 0
    for (let i = 0; i < 1_000_000; i++) {
      if (EarlyRefresh.shouldRefresh(early, quick, 9_000, next())) refreshed += 1
    }
    expect(refreshed).toBe(0)
    expect(EarlyRefresh.shouldRefresh(early, entry, 10_000, 1)).toBe(true)
    expect(EarlyRefresh.shouldRefresh(early, entry, 10_001, 1)).toBe(true)
  })

  it("xfetch: never in the first 1 - maxFraction of the freshness, however slow the lookup", () => {
    const slow = { ...entry, loadMillis: 1_000_000 }
    const early = EarlyRefresh.xfetch({ maxFraction: 0.25 })
    expect(EarlyRefresh.shouldRefresh(early, slow, 7_499, 1e-300)).toBe(false)
    expect(EarlyRefresh.shouldRefresh(early, slow, 7_500, 0.5)).toBe(true)
  })

  it("xfetch is unbiased and refreshes in the second half of the freshness, unless told otherwise", () => {
    const slow = { ...entry, loadMillis: 100_000 }
    expect(EarlyRefresh.xfetch()).toEqual({ _tag: "XFetch", beta: 1, maxFraction: 0.5 })
    expect(EarlyRefresh.earliest(EarlyRefresh.xfetch(), slow)).toBe(5_000)
  })

  it("xfetch draws for beta times as many load times before the end", () => {
    const quick = { ...entry, loadMillis: 1 }
    const drawnFor = (beta: number) =>
      entry.freshUntil - EarlyRefresh.earliest(EarlyRefresh.xfetch({ beta }), quick)
    // -ln(u) of the smallest draw is 37.
    expect(drawnFor(1)).toBeGreaterThanOrEqual(37)
    expect(drawnFor(1)).toBeLessThan(100)
    expect(drawnFor(4)).toBe(4 * drawnFor(1))
  })

  it("what is refreshed early is a share of the freshness, whenever that began", () => {
    const later = Entry.shift(entry, 1_000_000)
    const slow = { ...later, loadMillis: 100_000 }
    expect(EarlyRefresh.earliest(EarlyRefresh.after(0.8), later)).toBe(1_008_000)
    expect(EarlyRefresh.earliest(EarlyRefresh.xfetch(), slow)).toBe(1_005_000)
  })

  it("no draw comes true before the earliest moment, which is a whole one", () => {
    const odd = { ...entry, freshUntil: 9_999, loadMillis: 100_000 }
    for (const early of [EarlyRefresh.after(0.5), EarlyRefresh.xfetch()]) {
      expect(EarlyRefresh.earliest(early, odd)).toBe(5_000)
      expect(EarlyRefresh.shouldRefresh(early, odd, 4_999, 1e-9)).toBe(false)
      expect(EarlyRefresh.shouldRefresh(early, odd, 5_000, 1e-9)).toBe(true)
    }
  })

  it("none never refreshes; what is fresh for ever is never refreshed", () => {
    expect(EarlyRefresh.shouldRefresh(EarlyRefresh.none, entry, 99_999, 1e-12)).toBe(false)
    const endless = { ...entry, freshUntil: Entry.forever }
    expect(EarlyRefresh.earliest(EarlyRefresh.after(0.1), endless)).toBe(Entry.forever)
  })

  it("scheduled draws as what it schedules", () => {
    const scheduled = EarlyRefresh.scheduled(EarlyRefresh.after(0.8), Schedule.spaced("1 second"))
    expect(EarlyRefresh.earliest(scheduled, entry)).toBe(8_000)
    expect(EarlyRefresh.shouldRefresh(scheduled, entry, 8_000, 1)).toBe(true)
  })

  it.each([
    ["earlyRefresh", () => EarlyRefresh.after(0)],
    ["earlyRefresh", () => EarlyRefresh.after(1)],
    ["earlyRefresh", () => EarlyRefresh.after(Number.NaN)],
    ["earlyRefresh.beta", () => EarlyRefresh.xfetch({ beta: 0 })],
    ["earlyRefresh.beta", () => EarlyRefresh.xfetch({ beta: Infinity })],
    ["earlyRefresh.maxFraction", () => EarlyRefresh.xfetch({ maxFraction: 1.5 })],
    ["earlyRefresh.maxFraction", () => EarlyRefresh.xfetch({ maxFraction: -1 })],
  ] as const)("an invalid %s is refused", (field, make) => {
    expect(make).toThrow(expect.objectContaining({ _tag: "InvalidPolicy", field }))
  })
})
