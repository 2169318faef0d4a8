import { assert, describe, it } from "@effect/vitest"
import { firstSlot, grown, Pairs } from "../../../../src/internal/memory/bounded/columns.ts"

describe("grown", () => {
  it("doubles, keeps what was there, and stops at the most there can be", () => {
    const column = Int32Array.of(1, 2, 3)
    assert.deepStrictEqual(grown(column, Infinity), Int32Array.of(1, 2, 3, 0, 0, 0))
    assert.deepStrictEqual(grown(column, 4), Int32Array.of(1, 2, 3, 0))
    assert.deepStrictEqual(grown(Float64Array.of(1.5), 9), Float64Array.of(1.5, 0))
    assert.deepStrictEqual(grown(Uint8Array.of(7), 9), Uint8Array.of(7, 0))
  })

  it("doubles when it is at that most already, which was raised then", () => {
    assert.lengthOf(grown(new Int32Array(4), 4), 8)
    assert.lengthOf(grown(new Int32Array(4), 3), 8)
  })
})

describe("Pairs", () => {
  it("has what was set, over many chunks", () => {
    const pairs = new Pairs<number>()
    const count = 10_000
    for (let slot = firstSlot; slot < count; slot += 1) pairs.set(slot, `key:${slot}`, slot)
    for (let slot = firstSlot; slot < count; slot += 3) pairs.delete(slot)
    for (let slot = firstSlot; slot < count; slot += 6) pairs.set(slot, `new:${slot}`, -slot)
    for (let slot = firstSlot + 1; slot < count; slot += 3) pairs.setValue(slot, slot * 2)
    for (let slot = firstSlot; slot < count; slot += 1) {
      const nth = (slot - firstSlot) % 6
      const expected = [
        [`new:${slot}`, -slot],
        [`key:${slot}`, slot * 2],
        [`key:${slot}`, slot],
        [undefined, undefined],
        [`key:${slot}`, slot * 2],
        [`key:${slot}`, slot],
      ][nth]
      assert.deepStrictEqual([pairs.key(slot), pairs.value(slot)], expected)
    }
  })
})
