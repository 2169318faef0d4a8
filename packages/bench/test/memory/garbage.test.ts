import { expect, it } from "vitest"
import { type Collection, garbage, watch } from "../../src/memory/garbage.ts"

const collection = (before: number, after: number): Collection => ({
  before: { heap: before, external: 5 },
  after: { heap: after, external: 1 },
  micros: 1_500,
})

it("what was allocated is what use grew by between collections", () => {
  const start = { heap: 100, external: 3 }
  const end = { heap: 90, external: 1 }
  expect(garbage(start, [collection(180, 60), collection(160, 70)], end)).toEqual({
    collections: 2,
    millis: 3,
    allocatedBytes: 82 + 104 + 20,
  })
  expect(garbage(start, [], { heap: 140, external: 3 })).toEqual({
    collections: 0,
    millis: 0,
    allocatedBytes: 40,
  })
})

it("a loop that makes arrays is seen to make them", () => {
  const stop = watch()
  let made: ReadonlyArray<number> = []
  for (let n = 0; n < 1_000_000; n++) made = Array.from({ length: 10 }, (_, at) => at + made.length)
  const { allocatedBytes, collections } = stop()
  expect(allocatedBytes).toBeGreaterThan(1_000_000 * 10 * 4)
  expect(collections).toBeGreaterThan(0)
})
