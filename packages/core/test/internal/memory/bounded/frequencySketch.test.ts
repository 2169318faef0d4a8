import { assert, describe, it } from "@effect/vitest"
import { FrequencySketch } from "../../../../src/internal/memory/bounded/frequencySketch.ts"
import { finish } from "../../../../src/internal/memory/bounded/stringHash.ts"
import { drawing, seed } from "../../../support/seeded.ts"

describe("FrequencySketch", () => {
  it("never counts less than there was, up to 15, and seldom more", () => {
    const draw = drawing(seed)
    const sketch = new FrequencySketch()
    sketch.ensure(1_000)
    const counts = new Map<number, number>()
    // Less than is halved.
    for (let i = 0; i < 9_000; i += 1) {
      const hash = finish(Math.min(draw(1_000), draw(1_000)))
      sketch.add(hash)
      counts.set(hash, (counts.get(hash) ?? 0) + 1)
    }
    let tooMuch = 0
    for (const [hash, count] of counts) {
      const estimate = sketch.of(hash)
      assert.isAtLeast(estimate, Math.min(15, count))
      assert.isAtMost(estimate, 15)
      tooMuch += estimate - Math.min(15, count)
    }
    assert.isBelow(tooMuch / counts.size, 0.5)
    let strangers = 0
    for (let i = 0; i < 1_000; i += 1) strangers += sketch.of(finish(-1 - i))
    assert.isBelow(strangers / 1_000, 1)
  })

  it("halves all counts once ten times as many were counted as there are entries", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(100)
    for (let i = 0; i < 15; i += 1) sketch.add(finish(1))
    for (let i = 0; i < 8; i += 1) sketch.add(finish(2))
    sketch.add(finish(3))
    // What is full no longer counts.
    for (let i = 0; i < 2_000; i += 1) sketch.add(finish(1))
    assert.strictEqual(sketch.of(finish(1)), 15)
    let others = 0
    for (; sketch.of(finish(1)) === 15; others += 1) sketch.add(finish(1_000 + others))
    assert.strictEqual(15 + 8 + 1 + others, 1_000)
    assert.strictEqual(sketch.of(finish(1)), 7)
    assert.isAtLeast(sketch.of(finish(2)), 4)
    assert.isAtMost(sketch.of(finish(2)), 7)
  })

  it("halves each count by itself", () => {
    const draw = drawing(seed)
    const whole = new FrequencySketch()
    const halved = new FrequencySketch()
    for (const sketch of [whole, halved]) sketch.ensure(64)
    for (let i = 0; i < 639; i += 1) {
      const hash = finish(draw(200))
      for (const sketch of [whole, halved]) sketch.add(hash)
    }
    halved.add(finish(1_000))
    for (let i = 0; i < 2_000; i += 1) {
      const before = whole.of(finish(i))
      assert.include([before >>> 1, (before + 1) >>> 1], halved.of(finish(i)))
    }
  })

  it("fades: what is not asked for is forgotten", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(64)
    for (let i = 0; i < 15; i += 1) sketch.add(finish(1))
    for (let i = 0; i < 64 * 10 * 5; i += 1) sketch.add(finish(10 + i))
    assert.isBelow(sketch.of(finish(1)), 8)
  })

  it("keeps its counts when it grows", () => {
    const draw = drawing(seed)
    const sketch = new FrequencySketch()
    sketch.ensure(200)
    const hashes = Array.from({ length: 200 }, () => draw(2 ** 32) | 0)
    for (const [i, hash] of hashes.entries()) for (let n = 0; n < i % 8; n += 1) sketch.add(hash)
    const before = hashes.map((hash) => sketch.of(hash))
    for (const entries of [201, 1_000, 999, 50_000]) {
      sketch.ensure(entries)
      assert.deepStrictEqual(
        hashes.map((hash) => sketch.of(hash)),
        before,
      )
    }
  })

  it("is halved wholly where it grows while it is being halved", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(10_000)
    const keys = Array.from({ length: 10_000 }, (_, i) => finish(i + 1))
    const sum = () => keys.reduce((total, hash) => total + sketch.of(hash), 0)
    for (let round = 0; round < 9; round += 1) for (const hash of keys) sketch.add(hash)
    for (const hash of keys.slice(0, -10)) sketch.add(hash)
    const before = sum()
    for (let next = 0; sum() >= before; next += 1) sketch.add(keys[next]!)
    assert.isAbove(sum() / before, 0.9)
    sketch.ensure(40_000)
    assert.closeTo(sum() / before, 0.5, 0.1)
  })

  it("halves a large sketch little by little, and all of it in the end", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(10_000)
    const keys = Array.from({ length: 10_000 }, (_, i) => finish(i + 1))
    const sum = () => keys.reduce((total, hash) => total + sketch.of(hash), 0)
    for (let round = 0; round < 9; round += 1) for (const hash of keys) sketch.add(hash)
    // Up to shortly before they are halved.
    for (const hash of keys.slice(0, -10)) sketch.add(hash)
    let before = sum()
    let highest = before
    let steps = 0
    for (let next = 0; steps < 200; next += 1) {
      sketch.add(keys[next % keys.length]!)
      const after = sum()
      if (after < before) steps += 1
      else if (steps > 0) break
      highest = Math.max(highest, after)
      before = after
    }
    // 16,384 entries by 8 bytes are 32,768 words, 256 of them at once.
    assert.isAtLeast(steps, 64)
    assert.closeTo(sum() / highest, 0.5, 0.1)
  })
})
