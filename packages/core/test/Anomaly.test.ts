/** The detectors: each by the figures of a program with the mistake, and of its healthy twin. */
import { Anomaly, InvalidOptions } from "@larder/core"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"

const misses = (causes: Partial<Anomaly.Window["missesByCause"]>) => ({
  ...Anomaly.quiet.missesByCause,
  ...causes,
})

const window = (fields: Partial<Anomaly.Window>): Anomaly.Window => ({
  ...Anomaly.quiet,
  ...fields,
})

/** What is raised after each window, and every change on the way. */
const run = (windows: ReadonlyArray<Anomaly.Window>, options: Anomaly.Options = {}) => {
  let anomalies = Anomaly.make(options)
  return windows.map((each) => {
    const { after, changes } = Anomaly.judge(each, anomalies)
    anomalies = after
    return changes
  })
}

const told = (windows: ReadonlyArray<Anomaly.Window>, options: Anomaly.Options = {}) =>
  run(windows, options).map((changes) =>
    changes.map(({ kind, raised }) => `${kind} ${raised ? "raised" : "cleared"}`).join(", "),
  )

const times = (count: number, each: Anomaly.Window): ReadonlyArray<Anomaly.Window> =>
  Array.from({ length: count }, () => each)

/** Memory answers nine of ten calls, and evicts now and then. */
const healthy = window({
  answers: 3_000,
  hits: 2_700,
  missesByCause: misses({ new: 120, evicted: 60, expired: 120 }),
  lookups: 300,
  evictions: 150,
  evictionsUnread: 70,
  mostCallers: 2,
  mostLookups: 1,
})

/** Each mistake: the windows of the program that has it, and of its healthy twins. */
const mistakes: Readonly<
  Record<
    Anomaly.Kind,
    {
      readonly mistake: Anomaly.Window
      readonly figures: Readonly<Record<string, number>>
      readonly twins: Readonly<Record<string, Anomaly.Window>>
    }
  >
> = {
  keyPollution: {
    mistake: window({
      answers: 3_000,
      hits: 3,
      missesByCause: misses({ new: 2_997 }),
      lookups: 2_997,
      evictions: 2_900,
      evictionsUnread: 2_890,
    }),
    figures: { newShare: 1, hitRatio: 0.001, unreadShare: 2_890 / 2_900 },
    twins: {
      "a long tail, whose keys return": window({
        answers: 3_000,
        hits: 900,
        missesByCause: misses({ new: 1_700, evicted: 400 }),
        lookups: 2_100,
        evictions: 2_000,
        evictionsUnread: 1_700,
      }),
      "memory that is being filled": window({
        answers: 3_000,
        hits: 60,
        missesByCause: misses({ new: 2_940 }),
        lookups: 2_940,
      }),
      "a crawler's scan beside readers": window({
        answers: 3_000,
        hits: 600,
        missesByCause: misses({ new: 2_400 }),
        lookups: 2_400,
        evictions: 2_400,
        evictionsUnread: 2_380,
      }),
    },
  },
  ttlTooShort: {
    // One second of freshness, at one read of a key in five seconds.
    mistake: window({
      answers: 600,
      hits: 0,
      missesByCause: misses({ new: 5, expired: 595 }),
      lookups: 600,
    }),
    figures: { expiredShare: 595 / 600, hitRatio: 0, sameShare: 0 },
    twins: {
      "short freshness with reads to match": window({
        answers: 30_000,
        hits: 29_000,
        missesByCause: misses({ expired: 1_000 }),
        lookups: 1_000,
      }),
      "revalidation that mostly brings something new": window({
        answers: 600,
        hits: 500,
        missesByCause: misses({ expired: 100 }),
        lookups: 100,
        notModified: 30,
        sameRevision: 10,
      }),
      "a handful of lookups, all of them not modified": window({
        answers: 3_000,
        hits: 2_995,
        missesByCause: misses({ expired: 5 }),
        lookups: 5,
        notModified: 5,
      }),
    },
  },
  stampede: {
    mistake: { ...healthy, mostCallers: 500 },
    figures: { callers: 500, lookups: 1 },
    twins: {
      "a few callers at once": { ...healthy, mostCallers: 4 },
      "nobody who waits": { ...healthy, mostCallers: 1, mostLookups: 0 },
    },
  },
  coldStart: {
    mistake: window({ ...healthy, hits: 600, lookups: 2_400, coldSeconds: 60 }),
    figures: { hitRatio: 0.2, steadyHitRatio: 0.9, seconds: 60, lookups: 4_800 },
    twins: {
      "a warm start from a file": { ...healthy, hits: 2_500, coldSeconds: 60 },
      "a fall long after the start": window({ ...healthy, hits: 600, coldSeconds: 301 }),
    },
  },
  earlyRefreshOverload: {
    // A beta of 20, with freshness that is short beside the lookup.
    mistake: { ...healthy, lookups: 700, earlyRefreshes: 400 },
    figures: { answersShare: 400 / 3_000, lookupsShare: 400 / 700, shed: 0 },
    twins: {
      "hot keys that never expire": { ...healthy, lookups: 25, earlyRefreshes: 20 },
      "background lookups that are shed without early refresh": { ...healthy, backgroundShed: 5 },
    },
  },
}

const steadyBefore = { steadyHitRatio: 0.9 }

describe.each(Object.entries(mistakes))("%s", (kind, { figures, mistake, twins }) => {
  it("is raised by the second window in a row, with its figures and its advice", () => {
    const [first, second, third] = run(times(3, mistake), steadyBefore)
    expect(first).toEqual([])
    expect(second).toEqual([{ kind, raised: true, figures, advice: expect.stringMatching(/\.$/) }])
    expect(third).toEqual([])
  })

  it("is cleared by the fourth healthy window in a row", () => {
    const cold = kind === "coldStart" ? { coldSeconds: 200 } : {}
    const end = told([...times(2, mistake), ...times(5, { ...healthy, ...cold })], steadyBefore)
    expect(end).toEqual(["", `${kind} raised`, "", "", "", `${kind} cleared`, ""])
  })

  it.each(Object.entries(twins))("is silent for %s", (_, twin) => {
    expect(told(times(10, twin), steadyBefore).filter((each) => each !== "")).toEqual([])
  })
})

it("a healthy larder raises nothing", () => {
  expect(told(times(100, healthy)).join("")).toBe("")
})

describe("stampede", () => {
  it("is raised by a key that is looked up twice while callers wait", () => {
    const twice = { ...healthy, mostLookups: 2 }
    expect(told(times(2, twice))).toEqual(["", "stampede raised"])
  })

  it("begins above the number of callers that is given", () => {
    const callers = (mostCallers: number) => times(2, { ...healthy, mostCallers })
    expect(told(callers(50), { stampedeCallers: 50 })).toEqual(["", ""])
    expect(told(callers(51), { stampedeCallers: 50 })).toEqual(["", "stampede raised"])
  })
})

describe("ttlTooShort", () => {
  it("is raised by lookups that bring the value that was there", () => {
    const same = { ...healthy, notModified: 200, sameRevision: 90 }
    expect(told(times(2, same))).toEqual(["", "ttlTooShort raised"])
    const nearly = { ...healthy, notModified: 180, sameRevision: 90 }
    expect(told(times(2, nearly))).toEqual(["", ""])
  })
})

describe("earlyRefreshOverload", () => {
  it("is raised by background lookups that are shed beside early refreshes", () => {
    const shed = { ...healthy, earlyRefreshes: 20, backgroundShed: 1 }
    expect(told(times(2, shed))).toEqual(["", "earlyRefreshOverload raised"])
  })
})

describe("keyPollution", () => {
  it("shows three keys", () => {
    const samples = ["a1", "b2", "c3", "d4"]
    const [, [change] = []] = run(times(2, { ...mistakes.keyPollution.mistake, samples }))
    expect(change?.advice).toMatch(/Such keys: a1, b2, c3\.$/)
  })
})

describe("coldStart", () => {
  const cold = (seconds: number, hits: number) =>
    window({ ...healthy, hits, lookups: 3_000 - hits, coldSeconds: seconds })

  it("is held against the hit ratio of the ten minutes before", () => {
    const cleared = [cold(30, 300), cold(60, 600)]
    // Nothing is known yet of what is steady.
    expect(told([...times(19, healthy), ...cleared]).join("")).toBe("")
    expect(told([...times(20, healthy), ...cleared])[21]).toBe("coldStart raised")
  })

  it("tells at its end how long it took, and how many lookups", () => {
    const recovery = [120, 150, 180, 210].map((seconds) => cold(seconds, 2_600))
    const windows = [cold(30, 300), cold(60, 600), cold(90, 1_400), ...recovery]
    const [change] = run(windows, steadyBefore).at(-1) ?? []
    expect(change?.raised).toBe(false)
    const lookups = 2_700 + 2_400 + 1_600 + 4 * 400
    expect(change?.figures).toEqual({
      hitRatio: 2_600 / 3_000,
      steadyHitRatio: 0.9,
      seconds: 210,
      lookups,
    })
  })

  it("begins anew with another clear", () => {
    const windows = [cold(200, 300), cold(30, 300), cold(60, 300)]
    const [change] = run(windows, steadyBefore).at(1) ?? []
    expect(change?.figures["lookups"]).toBe(2_700)
  })

  it("gives up after an hour, when the traffic is what allows no more", () => {
    const seconds = Array.from({ length: 130 }, (_, i) => (i + 1) * 30)
    const all = told(
      seconds.map((each) => cold(each, 300)),
      steadyBefore,
    )
    expect(all.indexOf("coldStart raised")).toBe(1)
    expect(seconds[all.indexOf("coldStart cleared")]).toBe(3_600 + 4 * 30)
  })
})

describe("the hysteresis", () => {
  const stampede = mistakes.stampede.mistake
  /** Above half of the threshold, and not over it. */
  const between = { ...healthy, mostCallers: 8 }
  const few = { ...stampede, answers: 99 }

  it("is not raised by two windows that are not in a row", () => {
    expect(told([stampede, healthy, stampede, between, stampede]).join("")).toBe("")
  })

  it("is not raised by windows with under 100 answers, which end a row", () => {
    expect(told(times(5, few)).join("")).toBe("")
    expect(told([stampede, few, stampede]).join("")).toBe("")
    expect(told([stampede, few, stampede, stampede])[3]).toBe("stampede raised")
    expect(told(times(2, { ...few, answers: 50 }), { leastAnswers: 50 })[1]).toBe("stampede raised")
  })

  it("is not cleared while the figure is at half of the threshold or above it", () => {
    const windows = [...times(2, stampede), ...times(3, healthy), between, ...times(3, healthy)]
    expect(told(windows).join("")).toBe("stampede raised")
    expect(told([...windows, healthy]).at(-1)).toBe("stampede cleared")
    const half = { ...healthy, mostCallers: 5 }
    expect(told([...times(2, stampede), ...times(20, half)]).join("")).toBe("stampede raised")
  })

  it("is not cleared by silence, which does not end the row of healthy windows either", () => {
    expect(told([...times(2, stampede), ...times(20, Anomaly.quiet)]).join("")).toBe(
      "stampede raised",
    )
    const windows = [...times(2, stampede), ...times(2, healthy), Anomaly.quiet, healthy, healthy]
    expect(told(windows).at(-1)).toBe("stampede cleared")
  })
})

describe("the options", () => {
  it.each([
    [{ stampedeCaller: 5 }, "stampedeCaller is an unknown option; did you mean `stampedeCallers`?"],
    [{ stampedeCallers: 0 }, "stampedeCallers must be an integer of at least 1, got 0"],
    [{ leastAnswers: 1.5 }, "leastAnswers must be an integer of at least 1, got 1.5"],
    [{ steadyHitRatio: 90 }, "steadyHitRatio must be a share from 0 to 1, got 90"],
    [{ steadyHitRatio: true }, "steadyHitRatio must be a share from 0 to 1, got true"],
    [{ steadyHitRatio: null }, "steadyHitRatio must be a share from 0 to 1, got null"],
  ])("refuse %o", (options, reason) => {
    const refused = Anomaly.makeResult(options as Anomaly.Options)
    expect(Result.isFailure(refused) && refused.failure.message).toBe(`Anomaly: ${reason}`)
    expect(() => Anomaly.make(options as Anomaly.Options)).toThrow(InvalidOptions)
  })
})
