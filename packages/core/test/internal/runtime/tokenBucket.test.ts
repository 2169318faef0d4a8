import { describe, expect, it } from "@effect/vitest"
import { TokenBucket } from "../../../src/internal/runtime/tokenBucket.ts"

/** Takes as often as it can, and returns the moments. */
const greedy = (bucket: TokenBucket, count: number, untilMillis: number) => {
  const taken: Array<number> = []
  let now = 5_000
  while (now <= 5_000 + untilMillis) {
    if (bucket.take(count, now)) taken.push(now)
    else now += Math.max(0.001, bucket.readyIn(count, now))
  }
  return taken
}

describe("a token bucket", () => {
  for (const count of [1, 7, 250, 1_000]) {
    it(`gives no more than its rate in any second, taken ${count} at a time`, () => {
      const taken = greedy(new TokenBucket(10_000, 1_000), count, 3_000)
      let from = 0
      for (const [i, at] of taken.entries()) {
        while (taken[from]! <= at - 1_000) from += 1
        if ((i - from + 1) * count > 10_000) expect([at, (i - from + 1) * count]).toEqual([])
      }
      expect(taken.length * count).toBeGreaterThan(25_000)
    })
  }

  it("tells when it has so many, as of the moment of the question", () => {
    const bucket = new TokenBucket(10_000, 1_000)
    bucket.take(1_000, 0)
    expect([bucket.readyIn(90, 0), bucket.readyIn(90, 4), bucket.readyIn(90, 20)]).toEqual([
      10, 6, 0,
    ])
  })

  it("gives its burst at once, also after a long rest, and no more", () => {
    const bucket = new TokenBucket(10_000, 1_000)
    expect([bucket.take(1_000, 0), bucket.take(1, 0)]).toEqual([true, false])
    expect([bucket.take(1_000, 1e9), bucket.take(1, 1e9)]).toEqual([true, false])
  })

  it("says when there will be enough", () => {
    const bucket = new TokenBucket(10_000, 1_000)
    expect(bucket.readyIn(1_000, 0)).toBe(0)
    expect(bucket.take(1_000, 0)).toBe(true)
    expect(bucket.readyIn(90, 0)).toBe(10)
    expect(bucket.take(90, 9)).toBe(false)
    expect(bucket.take(90, 10)).toBe(true)
  })

  it("gives nothing for a clock that steps back", () => {
    const bucket = new TokenBucket(10_000, 1_000)
    expect(bucket.take(1_000, 1_000)).toBe(true)
    expect(bucket.take(1, 0)).toBe(false)
  })
})
