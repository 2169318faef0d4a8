import { expect, it } from "vitest"
import { generate, type Generated, generated } from "../../src/traces/generated.ts"
import { lru } from "../../src/traces/lru.ts"
import { replay } from "../../src/traces/replay.ts"
import type { Trace } from "../../src/traces/Trace.ts"

const short = (name: string): Generated => ({
  ...generated.find((definition) => definition.name === name)!,
  requests: 30_000,
})

const lruRatio = (trace: Trace, size: number): number =>
  replay(trace, lru(size)) / trace.requests.length

it("a seed draws the same trace each time, another seed another one", () => {
  const definition = short("mixture")
  expect(generate(definition, 5)).toEqual(generate(definition, 5))
  expect(generate(definition, 5)).not.toEqual(generate(definition, 6))
})

it("no two have the same name, and each is long enough to fill its caches", () => {
  expect(new Set(generated.map(({ name }) => name)).size).toBe(generated.length)
  for (const definition of generated) {
    const trace = generate({ ...definition, requests: 60_000 }, 1)
    expect(trace.requests.length).toBe(60_000)
    expect(trace.keys.length, definition.name).toBeGreaterThan(Math.max(...definition.sizes))
  }
})

it("LRU has nothing of the loops, and all there is where keys come back soon", () => {
  expect(lruRatio(generate(short("loop-1.1x"), 1), 1_000)).toBe(0)
  expect(lruRatio(generate(short("loop-2x"), 1), 1_000)).toBe(0)
  expect(lruRatio(generate(short("twice-near"), 1), 500)).toBe(0)
  expect(lruRatio(generate(short("twice-near"), 1), 1_000)).toBeGreaterThan(0.48)
})
