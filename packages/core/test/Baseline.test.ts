/** Baselines: what is usual, and how far from it a window is. */
import { Anomaly, Baseline, InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const window = (fields: Partial<Anomaly.Window>): Anomaly.Window => ({
  ...Anomaly.quiet,
  answers: 3_000,
  hits: 2_700,
  waits: 300,
  waitSeconds: 15,
  lookups: 300,
  ...fields,
})

const health = window({})

const fed = (start: Baseline.Baseline, ...windows: ReadonlyArray<Anomaly.Window>) =>
  windows.reduce((before, each) => Baseline.feed(before, each), start)

const times = (count: number, each = health) => Array.from({ length: count }, () => each)

/** Follows at once, so that each test says when. */
const atOnce = (options: Baseline.Options = {}) => Baseline.make({ offset: 0, ...options })

describe("a measure", () => {
  const usual = fed(atOnce(), ...times(100))

  it("is normal near the mean", () => {
    expect(Baseline.judge(usual, health)).toEqual({
      hitRatio: {
        level: "normal",
        value: 0.9,
        mean: expect.closeTo(0.9),
        sigmas: expect.closeTo(0),
      },
      meanWait: {
        level: "normal",
        value: 0.05,
        mean: expect.closeTo(0.05),
        sigmas: expect.closeTo(0),
      },
      lookups: { level: "normal", value: 10, mean: expect.closeTo(10), sigmas: expect.closeTo(0) },
    })
  })

  // The floors are 0.01, 0.005 s and 0.5 a second.
  it.each([
    ["hitRatio", { hits: 2_700 - 61 }, "warning"],
    ["hitRatio", { hits: 2_700 - 91 }, "critical"],
    ["hitRatio", { hits: 2_700 - 59 }, "normal"],
    ["hitRatio", { hits: 3_000 }, "normal"],
    ["meanWait", { waitSeconds: 15 + 7 }, "critical"],
    ["meanWait", { waitSeconds: 1 }, "normal"],
    ["lookups", { lookups: 300 + 31 }, "warning"],
    ["lookups", { lookups: 300 + 46 }, "critical"],
    ["lookups", { lookups: 300 + 29 }, "normal"],
    ["lookups", { lookups: 0 }, "normal"],
  ] as const)("%s with %o is judged %s: %s", (measure, fields, level) => {
    expect(Baseline.judge(usual, window(fields))[measure].level).toBe(level)
  })

  it("needs a change that is noticeable as well", () => {
    // Six deviations of the floor, and 3 ms.
    const options = { floors: { meanWait: 0.0005 } }
    const exact = fed(atOnce(options), ...times(100))
    expect(Baseline.judge(exact, window({ waitSeconds: 15.9 })).meanWait.level).toBe("normal")
    const eager = fed(atOnce({ ...options, leastChanges: { meanWait: 0.001 } }), ...times(100))
    expect(Baseline.judge(eager, window({ waitSeconds: 15.9 })).meanWait.level).toBe("critical")
  })

  it("is judged by the deviations that are given", () => {
    const eager = fed(atOnce({ sigmas: { warning: 1, critical: 8 } }), ...times(100))
    expect(Baseline.judge(eager, window({ hits: 2_700 - 61 })).hitRatio.level).toBe("warning")
    expect(Baseline.judge(eager, window({ hits: 2_700 - 150 })).hitRatio.level).toBe("warning")
  })

  it("may vary as much as it usually does", () => {
    const uneven = [window({ lookups: 150 }), window({ lookups: 450 })]
    const varied = fed(atOnce(), ...Array.from({ length: 60 }, () => uneven).flat())
    expect(Baseline.judge(varied, window({ lookups: 450 })).lookups).toMatchObject({
      level: "normal",
      sigmas: expect.closeTo(1, 1),
    })
    expect(Baseline.judge(usual, window({ lookups: 450 })).lookups.level).toBe("critical")
  })

  it("is unknown with too few windows, and with too few answers", () => {
    const young = fed(atOnce(), ...times(19))
    const bad = window({ hits: 0 })
    expect(Baseline.judge(young, bad).hitRatio.level).toBe("unknown")
    expect(Baseline.usual(young, "hitRatio")).toBe(undefined)
    expect(Baseline.judge(fed(young, health), bad).hitRatio.level).toBe("critical")
    const night = window({ answers: 29, hits: 0 })
    expect(Baseline.judge(usual, night).hitRatio.level).toBe("unknown")
    expect(
      Baseline.judge(fed(atOnce({ leastAnswers: 0.5 }), ...times(20)), night).hitRatio.level,
    ).toBe("critical")
  })

  it("is unknown where nobody waited", () => {
    const hitsAlone = window({ waits: 0, waitSeconds: 0 })
    expect(Baseline.judge(usual, hitsAlone).meanWait.level).toBe("unknown")
    expect(Baseline.usual(fed(usual, ...times(50, hitsAlone)), "meanWait")).toBeCloseTo(0.05)
  })
})

describe("the baseline", () => {
  it.each([
    ["hitRatio", { hits: Number.NaN }],
    ["hitRatio", { hits: 1e9 }],
    ["hitRatio", { hits: -5 }],
    ["meanWait", { waitSeconds: Infinity }],
    ["meanWait", { waitSeconds: Number.NaN }],
    ["lookups", { lookups: -2_000 }],
    ["lookups", { seconds: Infinity }],
  ] as const)("takes no %s in that cannot be one, and judges none: %o", (measure, fields) => {
    const usual = fed(atOnce(), ...times(100))
    const odd = window(fields)
    expect(Baseline.judge(usual, odd)[measure].level).toBe("unknown")
    const after = fed(usual, odd)
    expect(Baseline.usual(after, measure)).toBe(Baseline.usual(usual, measure))
    expect(Baseline.judge(after, health)[measure].level).toBe("normal")
  })

  it("takes a window in after the offset, so that a fall is not held against itself", () => {
    const fall = window({ hits: 1_500 })
    // Two minutes: four windows of 30 s.
    const start = fed(Baseline.make({ offset: "2 minutes" }), ...times(44))
    const falling = fed(start, ...times(4, fall))
    expect(Baseline.usual(falling, "hitRatio")).toBeCloseTo(0.9)
    expect(Baseline.judge(falling, fall).hitRatio.level).toBe("critical")
    expect(Baseline.usual(fed(falling, fall), "hitRatio")).toBeLessThan(0.899)
  })

  it("keeps no more windows than the offset is long", () => {
    const { pending } = fed(Baseline.make(), ...times(1_000))
    expect(pending.length).toBe(120)
  })

  it("forgets: a window that is as old as the window of the baseline weighs 1/e", () => {
    // Ten minutes: twenty windows of 30 s.
    const before = fed(atOnce({ window: "10 minutes" }), ...times(1_000))
    const changed = fed(before, ...times(20, window({ hits: 0 })))
    expect(Baseline.usual(changed, "hitRatio")).toBeCloseTo(0.9 / Math.E, 2)
    const after = fed(before, ...times(200, window({ hits: 0 })))
    expect(Baseline.usual(after, "hitRatio")).toBeLessThan(0.001)
  })

  it("is moved by no window with too few answers, nor by one without a length", () => {
    const usual = fed(atOnce(), ...times(50))
    const night = window({ answers: 10, hits: 0 })
    expect(Baseline.usual(fed(usual, ...times(50, night)), "hitRatio")).toBeCloseTo(0.9)
    expect(fed(usual, window({ seconds: 0, hits: 0 }))).toBe(usual)
    expect(fed(usual, window({ seconds: Number.NaN, hits: 0 }))).toBe(usual)
  })

  it("is the mean and the deviation of its windows, while none of them is old", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1 }), (hits) => {
        const windows = hits.map((each) => window({ hits: each }))
        const long = fed(atOnce({ window: "10000 days" }), ...windows)
        const ratios = hits.map((each) => each / 3_000)
        const mean = ratios.reduce((sum, each) => sum + each, 0) / ratios.length
        const squares = ratios.reduce((sum, each) => sum + (each - mean) ** 2, 0)
        expect(long.measures.hitRatio.mean).toBeCloseTo(mean, 4)
        expect(long.measures.hitRatio.variance).toBeCloseTo(squares / ratios.length, 4)
      }),
    )
  })

  it("weighs a window by its length", () => {
    const start = atOnce({ window: "10000 days" })
    const long = fed(start, window({ seconds: 90, hits: 3_000 }), window({ hits: 0 }))
    expect(long.measures.hitRatio.mean).toBeCloseTo(0.75, 4)
  })
})

describe("the options", () => {
  it.each([
    [{ sigma: 2 }, "sigma is an unknown option; did you mean `sigmas`?"],
    [
      { window: 0 },
      'window must be a duration of at least 0, such as "10 seconds" or a number of milliseconds, and not 0 or Infinity, got 0',
    ],
    [
      { sigmas: { warning: 3, critical: 2 } },
      "sigmas.critical must be at least sigmas.warning, which is 3, got 2",
    ],
    [{ floors: { hitRatio: 0 } }, "floors.hitRatio must be a number above 0, got 0"],
    [{ floors: { hitRatio: null } }, "floors.hitRatio must be a number above 0, got null"],
    [
      { floors: { hits: 1 } },
      "floors.hits is an unknown option; the options are hitRatio, meanWait and lookups",
    ],
    [{ leastAnswers: -1 }, "leastAnswers must be a number of at least 0, got -1"],
    [
      { leastChanges: { lookups: Infinity } },
      "leastChanges.lookups must be a number of at least 0, got Infinity",
    ],
  ])("refuse %o", (options, reason) => {
    const refused = Baseline.makeResult(options as Baseline.Options)
    expect(Result.isFailure(refused) && refused.failure.message).toBe(`Baseline: ${reason}`)
    expect(() => Baseline.make(options as Baseline.Options)).toThrow(InvalidOptions)
  })
})
