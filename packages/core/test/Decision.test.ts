import { Decision, Freshness } from "@larder/core"
import { describe, expect, it } from "vitest"

type Fields = Readonly<Record<string, string | boolean>>

/**
 * The laws about callers, written down independently of the code: a trigger, the values of fields
 * (`|` between values; a field that is not named may have any value), and the action.
 */
const laws: ReadonlyArray<readonly [trigger: string, fields: Fields, action: string]> = [
  // law 1: a fresh value calls nothing and begins nothing unless its early refresh is due
  ["arrived", { usability: "fresh" }, "Serve"],
  [
    "arrived",
    { usability: "due", inFlight: false, throttled: false, failureKnown: false },
    "Serve+refresh",
  ],
  ["arrived", { usability: "due", inFlight: true }, "Serve"],
  ["arrived", { usability: "due", inFlight: false, throttled: true }, "Serve"],
  ["arrived", { usability: "due", inFlight: false, throttled: false, failureKnown: true }, "Serve"],
  // law 2: at once, and one refresh, unless one is running or has just failed
  [
    "arrived",
    {
      usability: "revalidate",
      inFlight: false,
      throttled: false,
      failureKnown: false,
      graceDenied: false,
    },
    "ServeStale revalidating+refresh",
  ],
  [
    "arrived",
    { usability: "revalidate", inFlight: true, graceDenied: false },
    "ServeStale revalidating",
  ],
  // law 3: the lookup is tried; within retryAfterFailure it is not
  [
    "arrived",
    { usability: "error", inFlight: false, throttled: false, failureKnown: false },
    "Begin",
  ],
  ["arrived", { usability: "error", inFlight: true }, "Join"],
  ...["revalidate", "error"].flatMap((usability): typeof laws => [
    [
      "arrived",
      { usability, inFlight: false, throttled: true, graceDenied: false },
      "ServeStale failed",
    ],
    [
      "arrived",
      { usability, inFlight: false, throttled: false, failureKnown: true, graceDenied: false },
      "ServeStale failed",
    ],
    // an error that grace must not hide is given instead, as long as upstream is not asked again
    ["arrived", { usability, inFlight: false, throttled: true, graceDenied: true }, "Fail"],
    [
      "arrived",
      { usability, inFlight: false, throttled: false, failureKnown: true, graceDenied: true },
      "Fail",
    ],
  ]),
  // ... and where upstream is asked again, the caller waits for a lookup
  [
    "arrived",
    {
      usability: "revalidate",
      inFlight: false,
      throttled: false,
      failureKnown: false,
      graceDenied: true,
    },
    "Begin",
  ],
  ["arrived", { usability: "revalidate", inFlight: true, graceDenied: true }, "Join"],
  // laws 6 and 7: one lookup for all; a failure is given again only while it is remembered
  ["arrived", { usability: "missing", inFlight: true }, "Join"],
  ["arrived", { usability: "missing", inFlight: false, failureKnown: false }, "Begin"],
  ["arrived", { usability: "missing", inFlight: false, failureKnown: true }, "Fail"],

  // law 2 for a caller that finds a lookup running; what is fresh may have been removed since
  [
    "joined",
    { usability: "revalidate", graceDenied: false, onlyLookup: false },
    "ServeStale revalidating",
  ],
  ["joined", { usability: "revalidate", graceDenied: true }, "Wait"],
  ["joined", { usability: "revalidate", graceDenied: false, onlyLookup: true }, "Wait"],
  ["joined", { usability: "fresh|due|error|missing" }, "Wait"],

  // refresh never gets an older value, and a lookup for somebody else hides no fresh value
  ["found", { onlyLookup: true }, "Wait"],
  ["found", { onlyLookup: false, usability: "missing" }, "Wait"],
  ["found", { onlyLookup: false, usability: "fresh|due" }, "Serve"],
  [
    "found",
    { onlyLookup: false, usability: "revalidate", graceDenied: false },
    "ServeStale revalidating",
  ],
  [
    "found",
    { onlyLookup: false, usability: "revalidate", graceDenied: true, softTimeoutPassed: true },
    "ServeStale softTimeout",
  ],
  [
    "found",
    { onlyLookup: false, usability: "revalidate", graceDenied: true, softTimeoutPassed: false },
    "Wait",
  ],
  // law 5: a stale value after softTimeout, as soon as there is one
  [
    "found",
    { onlyLookup: false, usability: "error", softTimeoutPassed: true },
    "ServeStale softTimeout",
  ],
  ["found", { onlyLookup: false, usability: "error", softTimeoutPassed: false }, "Wait"],
  ["softTimeout", { usability: "missing" }, "Wait"],
  ["softTimeout", { usability: "fresh|due|revalidate|error", onlyLookup: true }, "Wait"],
  [
    "softTimeout",
    { usability: "fresh|due|revalidate|error", onlyLookup: false },
    "ServeStale softTimeout",
  ],

  // law 7: a caller that came after an invalidation asks once more, and takes what that brings
  ["succeeded", { unconfirmed: false, newerKnown: "fresh" }, "ServeNewer"],
  ["succeeded", { unconfirmed: false, newerKnown: "stale", allowStale: true }, "ServeNewer"],
  ...[
    { unconfirmed: false, newerKnown: "none" },
    { unconfirmed: false, newerKnown: "stale", allowStale: false },
  ].flatMap((fields): typeof laws => [
    ["succeeded", { ...fields, overtaken: false }, "ServeResult"],
    ["succeeded", { ...fields, overtaken: true, isRetry: true }, "ServeResult"],
    ["succeeded", { ...fields, overtaken: true, isRetry: false }, "Retry"],
  ]),

  // a checked read takes nothing that was asked for before its call
  ["succeeded", { unconfirmed: true }, "Retry"],

  // law 3: something stale rather than an error, unless it must not hide that
  ["failed", { isAnswer: false }, "Retry"],
  ["failed", { isAnswer: true, onlyLookup: false, usability: "fresh|due" }, "ServeStale failed"],
  [
    "failed",
    { isAnswer: true, onlyLookup: false, usability: "revalidate|error", graceDenied: false },
    "ServeStale failed",
  ],
  ...[
    { isAnswer: true, onlyLookup: true },
    { isAnswer: true, onlyLookup: false, usability: "revalidate|error", graceDenied: true },
    { isAnswer: true, onlyLookup: false, usability: "missing" },
  ].flatMap((fields): typeof laws => [
    ["failed", { ...fields, tiersUnread: true }, "Retry"],
    ["failed", { ...fields, tiersUnread: false }, "Fail"],
  ]),
]

const matches = (situation: object, fields: Fields): boolean =>
  Object.entries(fields).every(([name, value]) =>
    String(value)
      .split("|")
      .includes(String(Reflect.get(situation, name))),
  )

const expected = (situation: Decision.Situation): ReadonlyArray<string> =>
  laws
    .filter(([trigger, fields]) => trigger === situation.trigger && matches(situation, fields))
    .map(([, , action]) => action)

const said = (action: Decision.Action): string => {
  const reason = action._tag === "ServeStale" ? ` ${action.reason}` : ""
  const refresh = "refresh" in action && action.refresh ? "+refresh" : ""
  return `${action._tag}${reason}${refresh}`
}

const distinct = (all: ReadonlyArray<object>): number =>
  new Set(all.map((one) => JSON.stringify(one))).size

describe("what a caller gets", () => {
  it("is decided in all 278 situations, each of which there is once", () => {
    // 5 * 16 + 5 * 4 + 5 * 8 + 5 * 2 + 3 * 16 + 5 * 16
    expect([Decision.situations.length, distinct(Decision.situations)]).toEqual([278, 278])
  })

  it.each(Decision.situations.map((situation) => [JSON.stringify(situation), situation] as const))(
    "%s",
    (_, situation) => {
      expect([said(Decision.next(situation))]).toEqual(expected(situation))
    },
  )
})

describe("which flight a caller joins", () => {
  it("there are 28 kinds", () => {
    expect([Decision.joinables.length, distinct(Decision.joinables)]).toEqual([28, 28])
  })

  it.each(Decision.joinables)("%j", (flight) => {
    const { isDetached, outcome, overtaken } = flight
    const isGoodResult = (outcome === "fresh" || outcome === "revalidate") && !overtaken
    expect(Decision.mayJoin(flight)).toBe(!isDetached && (outcome === "none" || isGoodResult))
  })
})

describe("what becomes of what a tier has", () => {
  const candidate = (change: Partial<Decision.Offer> = {}): Decision.Offer => ({
    freshness: "Fresh",
    isYoungEnough: true,
    besideMemory: "newer",
    besideKnown: "newer",
    force: false,
    early: false,
    ...change,
  })

  it("there are 144 situations: none is newer than what is known and older than what memory has", () => {
    expect([Decision.offers.length, distinct(Decision.offers)]).toEqual([144, 144])
    for (const { besideKnown, besideMemory } of Decision.offers) {
      expect([besideMemory, besideKnown]).not.toEqual(["older", "newer"])
    }
  })

  it("is adopted only where it is fresh, young enough for all and nothing older than memory has", () => {
    const adopted = Decision.offers.filter((one) => Decision.adoption(one) === "adopt")
    expect(adopted.length).toBeGreaterThan(0)
    for (const one of adopted) {
      expect(one).toMatchObject({ freshness: "Fresh", isYoungEnough: true, force: false })
      expect(one.besideMemory).not.toBe("older")
    }
  })

  it.each([
    ["newer than memory has", {}, "adopt"],
    ["the same version", { besideMemory: "same", besideKnown: "same" }, "adopt"],
    ["older than memory has", { besideMemory: "older", besideKnown: "older" }, "ignore"],
    ["an early refresh: newer", { early: true }, "adopt"],
    [
      "an early refresh: the same version is confirmed",
      { early: true, besideMemory: "same", besideKnown: "same" },
      "remember",
    ],
    ["refresh: what tiers have is no answer", { force: true }, "remember"],
    ["maxAge: what was stored before is no answer", { isYoungEnough: false }, "remember"],
    [
      "fresh, of the version another tier has told",
      { isYoungEnough: false, besideKnown: "same" },
      "remember",
    ],
    [
      "fresh, older than another tier has told",
      { isYoungEnough: false, besideKnown: "older" },
      "ignore",
    ],
    ["stale, and the newest", { freshness: "Stale" }, "remember"],
    ["stale, of the version that is known", { freshness: "Stale", besideKnown: "same" }, "ignore"],
    ["stale, and older", { freshness: "Stale", besideKnown: "older" }, "ignore"],
    ["past its life", { freshness: "Missing" }, "ignore"],
  ] as const)("%s", (_, change, answer) => {
    expect(Decision.adoption(candidate(change))).toBe(answer)
  })
})

describe("what the arbiter's version says about an entry in memory", () => {
  it("there are 7 cases", () => {
    expect([Decision.confirmables.length, distinct(Decision.confirmables)]).toEqual([7, 7])
  })

  it.each(Decision.confirmables)("%j", (given) => {
    const { besideMemory, stored } = given
    const decision = Decision.confirmation(given)
    // law 19: absence confirms nothing, and neither does another version
    expect(decision === "confirm").toBe(stored === "value" && besideMemory === "same")
    // law 12: nothing comes back
    expect(decision === "drop").toBe(stored === "removal" && besideMemory === "newer")
  })
})

describe("whether upstream is asked", () => {
  it("there are 32 situations", () => {
    expect([Decision.unanswered.length, distinct(Decision.unanswered)]).toEqual([32, 32])
  })

  it.each(Decision.unanswered)("%j", (situation) => {
    const { allHaveStale, circuitOpen, failureKnown, force, throttled } = situation
    const fails =
      // law 7: a failure is given again while it is remembered
      (!force && failureKnown) ||
      // law 3: upstream is left alone for retryAfterFailure, as long as nobody suffers
      (!force && throttled && allHaveStale) ||
      // law 14: an open circuit is quiet
      (circuitOpen && allHaveStale)
    expect(Decision.beforeLookup(situation)).toBe(fails ? "fail" : "ask")
  })
})

describe("what a value is good for", () => {
  const freshnesses = [
    Freshness.fresh,
    Freshness.staleRevalidate,
    Freshness.staleError,
    Freshness.missing,
  ]
  const either = [false, true]
  const cases = freshnesses.flatMap((freshness) =>
    either.flatMap((due) =>
      either.flatMap((tooOld) =>
        either.flatMap((allowStale) =>
          either.map((confirmed) => ({ freshness, due, tooOld, allowStale, confirmed })),
        ),
      ),
    ),
  )

  it.each(cases)("%j", ({ allowStale, confirmed, due, freshness, ...given }) => {
    const demand = { notBefore: 5, allowStale }
    const storedAt = given.tooOld ? 4 : 5
    const usability = Decision.usability(freshness, storedAt, due, demand, confirmed)
    if (confirmed) expect(Decision.usability(freshness, storedAt, due, demand)).toBe(usability)
    const tooOld = given.tooOld || !confirmed
    if (freshness._tag === "Missing") expect(usability).toBe("missing")
    else if (freshness._tag === "Fresh" && !tooOld) expect(usability).toBe(due ? "due" : "fresh")
    else if (!allowStale) expect(usability).toBe("missing")
    else if (tooOld || freshness === Freshness.staleError) expect(usability).toBe("error")
    else expect(usability).toBe("revalidate")
  })
})
