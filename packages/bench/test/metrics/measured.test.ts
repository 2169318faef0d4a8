import { Effect } from "effect"
import { expect, it } from "vitest"
import { figures, table } from "../../src/metrics/measured.ts"

it("a larder has the more series the more it consists of, and at most 350 over memory and one more tier", async () => {
  const of = async (
    ...[stack, kind]: [Parameters<typeof figures>[0], Parameters<typeof figures>[1]]
  ) => (await Effect.runPromise(figures(stack, kind, 1))).series
  const counts = [
    await of("memory", "plain"),
    await of("memory", "watched"),
    await of("memory, shared", "plain"),
    await of("memory, shared", "guarded"),
    await of("memory, file, shared", "guarded"),
  ]
  expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  expect(counts[3]).toBeLessThanOrEqual(350)
})

it("the table names a stack once", () => {
  const one = { series: 150, page: 200.4, snapshot: 0.25, scrape: 7.04 }
  const text = table([
    ["memory", "plain", one],
    ["memory", "guarded", { ...one, series: 162 }],
    ["memory, shared", "plain", { ...one, scrape: 14.96 }],
  ])
  expect(text.split("\n")).toEqual([
    "                         series  page, KiB  snapshot, ms  scrape, ms",
    "memory          plain       150        200          0.25         7.0",
    "                guarded     162        200          0.25         7.0",
    "memory, shared  plain       150        200          0.25        15.0",
  ])
})
