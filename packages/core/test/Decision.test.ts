import { Decision, Freshness } from "@larder/core"
import { describe, expect, it } from "vitest"

/** What the laws say, written down independently of the code: `!` for yes, `-` for no, `.` for either. */
const laws: ReadonlyArray<
  readonly [
    happening: Decision.Happening,
    standing: Decision.Standing,
    flags: string,
    action: string,
  ]
> = [
  // law 1: a fresh value calls nothing and begins nothing unless its early refresh is due
  ["arrived", "fresh", "....", "Serve"],
  ["arrived", "due", "---.", "Serve+refresh"],
  ["arrived", "due", "!...", "Serve"],
  ["arrived", "due", "-!..", "Serve"],
  ["arrived", "due", "--!.", "Serve"],
  // law 2: at once, and one refresh, unless one is running or has just failed
  ["arrived", "revalidate", "----", "ServeStale revalidating+refresh"],
  ["arrived", "revalidate", "!..-", "ServeStale revalidating"],
  ["arrived", "revalidate", "-!.-", "ServeStale failed"],
  ["arrived", "revalidate", "--!-", "ServeStale failed"],
  // law 3: the lookup is tried; within retryAfterFailure it is not
  ["arrived", "error", "---.", "Begin"],
  ["arrived", "error", "!...", "Join"],
  ["arrived", "error", "-!.-", "ServeStale failed"],
  ["arrived", "error", "--!-", "ServeStale failed"],
  // ... and where an error that grace must not hide is known, the caller waits for a lookup
  ["arrived", "revalidate", "---!", "Begin"],
  ["arrived", "revalidate", "!..!", "Join"],
  // an error that grace must not hide is given instead, as long as upstream is not asked again
  ...(["revalidate", "error"] as const).flatMap((standing) => [
    ["arrived", standing, "-!.!", "Fail"] as const,
    ["arrived", standing, "--!!", "Fail"] as const,
    ["failed", standing, "...!", "Fail"] as const,
    ["failed", standing, "...-", "ServeStale failed"] as const,
  ]),
  // laws 6 and 7: one lookup for all; a failure is given again only while it is remembered
  ["arrived", "missing", "!...", "Join"],
  ["arrived", "missing", "-.-.", "Begin"],
  ["arrived", "missing", "-.!.", "Fail"],
  ["softTimeout", "missing", "....", "Wait"],
  ["failed", "missing", "....", "Fail"],
  ["failed", "fresh", "....", "ServeStale failed"],
  ["failed", "due", "....", "ServeStale failed"],
  ...(["fresh", "due", "revalidate", "error"] as const).map(
    (standing) => ["softTimeout", standing, "....", "ServeStale softTimeout"] as const,
  ),
]

const matches = (pattern: string, flags: ReadonlyArray<boolean>) =>
  flags.every((flag, i) => pattern[i] === "." || (pattern[i] === "!") === flag)

const expected = (situation: Decision.Situation) => {
  const { failureKnown, graceDenied, inFlight, throttled } = situation
  const flags = [inFlight, throttled, failureKnown, graceDenied]
  return laws
    .filter(
      ([happening, standing, pattern]) =>
        happening === situation.happening &&
        standing === situation.standing &&
        matches(pattern, flags),
    )
    .map(([, , , action]) => action)
}

const said = (action: Decision.Action): string => {
  const reason = action._tag === "ServeStale" ? ` ${action.reason}` : ""
  const refresh = "refresh" in action && action.refresh ? "+refresh" : ""
  return `${action._tag}${reason}${refresh}`
}

describe("Decision", () => {
  it("there are all 240 situations, each once, and each has an action", () => {
    expect(new Set(Decision.situations.map((one) => JSON.stringify(one))).size).toBe(240)
    expect(Decision.situations.map(Decision.next)).toHaveLength(240)
  })

  it.each(Decision.situations)(
    "$happening, $standing, in flight $inFlight, throttled $throttled, failure known $failureKnown, grace denied $graceDenied",
    (situation) => {
      expect([said(Decision.next(situation))]).toEqual(expected(situation))
    },
  )

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
        either.map((allowStale) => ({ freshness, due, tooOld, allowStale })),
      ),
    ),
  )

  it.each(cases)("what an entry is good for: %j", ({ allowStale, due, freshness, tooOld }) => {
    const standing = Decision.standing(freshness, tooOld ? 4 : 5, due, { notBefore: 5, allowStale })
    if (freshness._tag === "Missing") expect(standing).toBe("missing")
    else if (freshness._tag === "Fresh" && !tooOld) expect(standing).toBe(due ? "due" : "fresh")
    else if (!allowStale) expect(standing).toBe("missing")
    else if (tooOld || freshness === Freshness.staleError) expect(standing).toBe("error")
    else expect(standing).toBe("revalidate")
  })
})
