import { assert, describe, it } from "@effect/vitest"
import { LruShadow } from "../../../../src/internal/memory/bounded/lruShadow.ts"
import { finish } from "../../../../src/internal/memory/bounded/stringHash.ts"
import { drawing, seed } from "../../../support/seeded.ts"

/** The share of reads that an LRU cache of so many has, without sampling. */
const lruRatio = (order: Iterable<number>, most: number): number => {
  const kept = new Set<number>()
  let reads = 0
  let hits = 0
  for (const key of order) {
    reads += 1
    if (kept.delete(key)) hits += 1
    kept.add(key)
    if (kept.size > most) for (const oldest of kept) if (kept.delete(oldest)) break
  }
  return hits / reads
}

const shadowRatio = (order: Iterable<number>, most: number) => {
  const shadow = new LruShadow()
  let reads = 0
  let hits = 0
  for (const key of order) {
    const hash = finish(key)
    if (!shadow.isSampled(hash)) continue
    reads += 1
    if (shadow.request(hash, 1 / most, 1)) hits += 1
  }
  return { ratio: hits / reads, reads }
}

describe("LruShadow", () => {
  it("has about the hits of an LRU cache of the whole size, by a sample of the keys", () => {
    const draw = drawing(seed)
    const order = Array.from({ length: 400_000 }, () =>
      Math.min(draw(30_000), draw(30_000), draw(30_000)),
    )
    for (const most of [1_000, 5_000, 20_000]) {
      const { ratio, reads } = shadowRatio(order, most)
      assert.closeTo(ratio, lruRatio(order, most), 0.05)
      // Many are not looked at.
      assert.isBelow(reads, order.length / 3)
    }
  })

  it("is exact for what is sampled: what was read longest ago goes, by what it costs", () => {
    const shadow = new LruShadow()
    const hashes = [1, 2, 3, 4]
    const has = (hash: number, cost: number) => shadow.request(hash, cost, 16)
    // One key in four is in the sample, so it has a quarter of the room: 4.
    assert.deepStrictEqual(
      hashes.map((hash) => has(hash, 1)),
      [false, false, false, false],
    )
    assert.isTrue(has(1, 1))
    assert.isFalse(has(5, 2))
    assert.isFalse(has(2, 1))
    assert.isTrue(has(1, 1))
    assert.isTrue(has(5, 2))
    shadow.forget(5)
    assert.isFalse(has(5, 2))
  })

  it("forgets what does not fit in the room, but the newest, however little room there is", () => {
    const shadow = new LruShadow()
    assert.isFalse(shadow.request(1, 1, 0))
    assert.isTrue(shadow.request(1, 1, 0))
    assert.isFalse(shadow.request(2, 1, 0))
    assert.isFalse(shadow.request(1, 1, 0))
  })

  it("has a quarter of the room for one key in four, whatever it is asked to forget", () => {
    const shadow = new LruShadow()
    const has = (hash: number) => shadow.request(hash, 1, 16)
    for (const hash of [1, 2, 3, 4, 5]) assert.isFalse(has(hash))
    // It was never there.
    shadow.forget(6)
    for (const hash of [2, 3, 4, 5]) assert.isTrue(has(hash))
    assert.isFalse(has(1))
  })

  it("samples fewer keys once there are many, so that it does not grow with them", () => {
    const shadow = new LruShadow()
    const sampled = (from: number) => {
      let count = 0
      for (let i = from; i < from + 200_000; i += 1) {
        const hash = finish(i)
        if (!shadow.isSampled(hash)) continue
        count += 1
        // Room for all.
        shadow.request(hash, 0, 1)
      }
      return count
    }
    assert.isAbove(sampled(0), 5_000)
    for (let i = 1; i < 10; i += 1) sampled(i * 200_000)
    assert.isBelow(sampled(2_000_000), 4_096)
  })

  it("halves its sample beyond 384 keys while that is one in 4, 8 or 16, and then beyond 4,096", () => {
    const shadow = new LruShadow()
    // All of them are sampled as long as that is one key in 32 or more.
    const hashOf = (i: number) => (i * 32) << 8
    const sampled: Array<number> = []
    for (let i = 1; i <= 4_097; i += 1) {
      // Room for all.
      shadow.request(hashOf(i), 0, 1)
      if ([384, 385, 386, 387, 4_096, 4_097].includes(i)) {
        sampled.push([2, 4, 8, 16, 32].find((n) => shadow.isSampled(n << 8)) ?? 64)
      }
    }
    assert.deepStrictEqual(sampled, [4, 8, 16, 32, 32, 64])
  })
})
