/** The detectors over traces that are replayed by callers who make no mistake, and by one who makes one. */
import { Policy } from "@larder/core"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { alarms, raisedIn, table, usages, usualGap } from "../../src/traces/alarms.ts"
import { sources } from "./recordings.ts"

/** 20 windows: `pnpm bench:traces --alarms` replays ten times as many, at all sizes. */
const requests = 6_000

it.each(sources.map((source) => [source.name, source] as const))(
  "there is hardly any alarm over well-chosen freshness: %s",
  async (_, { load }) => {
    const { sizes, trace } = await Effect.runPromise(load)
    for (const usage of usages) {
      const found = await Effect.runPromise(alarms(trace, sizes[0]!, usage, requests))
      expect(found.windows, usage.name).toBe(20)
      expect(found.under / found.windows, usage.name).toBeLessThanOrEqual(0.1)
    }
  },
  240_000,
)

it("freshness that is too short is an alarm", async () => {
  const { trace } = await Effect.runPromise(sources[1]!.load)
  const hasty = { name: "1 second", policy: () => Policy.make({ freshFor: "1 second" }) }
  const found = await Effect.runPromise(alarms(trace, 5_000, hasty, requests))
  expect([...found.raised]).toEqual([["ttlTooShort", 1]])
  expect(found.under).toBeGreaterThan(10)
}, 60_000)

it("three quarters of the reads of a key come within the usual gap", () => {
  // Ten requests a second: gaps of 1, 1, 1 and 4 places.
  expect(usualGap(Uint32Array.from([0, 0, 0, 0, 1, 2, 3, 0]))).toBe(400)
  expect(usualGap(Uint32Array.from([0, 0, 0, 0, 0, 1, 2, 3, 0]))).toBe(100)
  expect(usualGap(Uint32Array.from([0, 1, 2]))).toBe(0)
})

it("the table ends with the alarms of all replays together", () => {
  const quiet = { windows: 200, under: 0, raised: new Map<string, number>() }
  const alarmed = { windows: 200, under: 12, raised: new Map([["stampede", 2]]) }
  expect(raisedIn(alarmed)).toBe(2)
  const text = table([
    { trace: "shop", usage: "10 minutes", size: 1_200, alarms: quiet },
    { trace: "shop", usage: "1 minute", size: 300, alarms: alarmed },
  ])
  expect(text.split("\n")).toEqual([
    "trace  freshness    size  windows  under alarm      raised",
    "shop   10 minutes  1,200      200       0.00 %        none",
    "shop   1 minute      300      200       6.00 %  stampede 2",
    "",
    "all: 400 windows, 2 alarms raised, 3.00 % of the windows under alarm",
  ])
})
