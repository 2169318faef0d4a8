import { assert, describe, it } from "@effect/vitest"
import { firstSlot, none } from "../../../../src/internal/memory/bounded/columns.ts"
import { ExpiryHeap } from "../../../../src/internal/memory/bounded/expiryHeap.ts"
import { type Draw, drawing, seed } from "../../../support/seeded.ts"

const least = (ends: ReadonlyMap<number, number>): number => Math.min(Infinity, ...ends.values())

/** Always the least end, whatever is set, changed and removed. */
const churn = (heap: ExpiryHeap, slots: number, draw: Draw, endOf: (draw: Draw) => number) => {
  const ends = new Map<number, number>()
  for (let i = 0; i < 5_000; i += 1) {
    const slot = firstSlot + draw(slots)
    if (draw(3) > 0) {
      const end = endOf(draw)
      heap.set(slot, end)
      if (end === Infinity) ends.delete(slot)
      else ends.set(slot, end)
    } else {
      heap.remove(slot)
      ends.delete(slot)
    }
    const first = heap.first()
    const expected = least(ends)
    assert.strictEqual(first === none ? Infinity : ends.get(first), expected)
    assert.strictEqual(heap.endOf(slot), ends.get(slot) ?? Infinity)
    assert.strictEqual(heap.hasEnded(expected - 1), false)
    assert.strictEqual(heap.hasEnded(expected), expected !== Infinity)
  }
  return ends
}

const ends: Record<string, (draw: Draw) => number> = {
  "all over": (draw) => draw(1_000_000) - 500_000,
  "of which many are the same": (draw) => draw(3),
  "some of which are never": (draw) => (draw(3) === 0 ? Infinity : draw(1_000) / 7),
}

describe("ExpiryHeap", () => {
  for (const [name, endOf] of Object.entries(ends)) {
    it(`knows what ends first, with ends ${name}`, () => {
      const draw = drawing(seed)
      for (const slots of [1, 2, 5, 60]) churn(new ExpiryHeap(slots + 5), slots, draw, endOf)
    })
  }

  it("gives all back in order, also beyond the slots that were foreseen", () => {
    const draw = drawing(seed)
    for (const most of [5, 10_005, Infinity]) {
      const heap = new ExpiryHeap(most)
      const expected = Array.from({ length: 10_000 }, () => draw(5_000))
      for (const [i, end] of expected.entries()) heap.set(firstSlot + i, end)
      const order: Array<number> = []
      while (heap.first() !== none) {
        order.push(heap.endOf(heap.first()))
        heap.remove(heap.first())
      }
      assert.deepStrictEqual(
        order,
        expected.toSorted((a, b) => a - b),
      )
    }
  })

  it("takes a slot that it never heard of for one that does not end", () => {
    const heap = new ExpiryHeap(Infinity)
    heap.remove(1_000_000)
    assert.strictEqual(heap.endOf(1_000_000), Infinity)
    assert.strictEqual(heap.first(), none)
    heap.set(1_000_000, 5)
    assert.strictEqual(heap.first(), 1_000_000)
    assert.strictEqual(heap.endOf(999_999), Infinity)
  })

  it("has room for any slot, whatever it has had room for", () => {
    for (let slot = firstSlot; slot < 400; slot += 1) {
      const heap = new ExpiryHeap(Infinity)
      heap.set(slot, 5)
      assert.deepStrictEqual([heap.first(), heap.endOf(slot), heap.hasEnded(5)], [slot, 5, true])
    }
  })
})
