import { assert, describe, it } from "@effect/vitest"
import { FrequencySketch } from "../../../../src/internal/memory/bounded/frequencySketch.ts"
import { finish } from "../../../../src/internal/memory/bounded/stringHash.ts"
import { drawing, seed } from "../../../support/seeded.ts"

/**
 * A sketch of few entries written down plainly: in the block of a hash, four rows of
 * 32 counters, of which five bits for each row choose one.
 */
class PlainSketch {
  readonly #blocks: ReadonlyArray<ReadonlyArray<Array<number>>>
  readonly #entries: number
  #counted = 0

  constructor(blocks: number, entries: number) {
    const row = () => Array.from({ length: 32 }, () => 0)
    this.#blocks = Array.from({ length: blocks }, () => Array.from({ length: 4 }, row))
    this.#entries = entries
  }

  of(hash: number): number {
    return Math.min(...this.#picked(hash).map(([row, at]) => row[at]!))
  }

  add(hash: number): void {
    const picked = this.#picked(hash).filter(([row, at]) => row[at]! < 15)
    for (const [row, at] of picked) row[at]! += 1
    if (picked.length > 0) this.#counted += 1
    if (this.#counted < this.#entries * 10) return
    this.#counted = Math.floor(this.#counted / 2)
    for (const row of this.#blocks.flat()) {
      for (const [at, count] of row.entries()) row[at] = Math.floor(count / 2)
    }
  }

  #picked(hash: number): ReadonlyArray<readonly [row: Array<number>, at: number]> {
    const block = this.#blocks[(hash >>> 0) % this.#blocks.length]!
    const product = Math.imul(hash, 0x31848bab)
    const bits = product ^ (product >>> 14)
    return block.map((row, i) => {
      const five = (bits >>> (i * 5)) & 31
      // Two bits for one of four words, three for one of its eight counters.
      return [row, (five & 3) * 8 + (five >>> 2)] as const
    })
  }
}

describe("FrequencySketch", () => {
  it.each([
    { entries: 0, blocks: 2, held: 16 },
    { entries: 16, blocks: 2, held: 16 },
    { entries: 17, blocks: 4, held: 17 },
    { entries: 100, blocks: 16, held: 100 },
  ])(
    "counts as one of $blocks blocks does that is written down plainly, for $entries entries",
    ({ blocks, entries, held }) => {
      const draw = drawing(seed)
      const sketch = new FrequencySketch()
      sketch.ensure(entries)
      const plain = new PlainSketch(blocks, held)
      const hashes = Array.from({ length: held * 2 }, () => draw(2 ** 32) | 0)
      for (let i = 0; i < held * 60; i += 1) {
        // Some are full before the others.
        const hash = hashes[Math.min(draw(hashes.length), draw(hashes.length), draw(8_000))]!
        sketch.add(hash)
        plain.add(hash)
        if (i % 29 !== 0) continue
        for (const each of hashes) assert.strictEqual(sketch.of(each), plain.of(each))
      }
    },
  )

  it("keeps the counts of its first entries when it grows, were it a single one", () => {
    const sketch = new FrequencySketch()
    sketch.add(finish(1))
    sketch.ensure(1_000)
    assert.strictEqual(sketch.of(finish(1)), 1)
    assert.strictEqual(sketch.of(finish(2)), 0)
  })

  it("halves as late as ever where it is asked for room for fewer", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(100)
    sketch.ensure(10)
    for (let i = 0; i < 15; i += 1) sketch.add(finish(1))
    for (let i = 15; i < 999; i += 1) sketch.add(finish(1_000 + i))
    assert.strictEqual(sketch.of(finish(1)), 15)
    sketch.add(finish(10_000))
    assert.strictEqual(sketch.of(finish(1)), 7)
  })

  it("halves each count once where that takes many steps", () => {
    const sketch = new FrequencySketch()
    sketch.ensure(2_000)
    const keys = Array.from({ length: 2_000 }, (_, i) => finish(i + 1))
    const sum = () => keys.reduce((total, hash) => total + sketch.of(hash), 0)
    for (let round = 0; round < 9; round += 1) for (const hash of keys) sketch.add(hash)
    const before = keys.map((hash) => sketch.of(hash))
    // A few keys are asked for until all has been halved.
    for (let i = 0, last = sum(); sum() >= last; i += 1) sketch.add(keys[i % keys.length]!)
    for (let i = 0; i < 64; i += 1) sketch.add(keys[i]!)
    for (const [i, hash] of keys.entries()) {
      assert.isAtLeast(sketch.of(hash), Math.floor(before[i]! / 2))
      assert.isAtMost(sketch.of(hash), 12)
    }
  })

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
    assert.strictEqual(steps, 128)
    assert.closeTo(sum() / highest, 0.5, 0.1)
  })
})
