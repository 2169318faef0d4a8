import { assert, describe, it } from "@effect/vitest"
import {
  firstSlot,
  grown,
  Objects,
  Pairs,
} from "../../../../src/internal/memory/bounded/columns.ts"

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

describe("Objects", () => {
  it("has what was set, over many chunks, and the filler before it", () => {
    const objects = new Objects<string>("filler")
    const slots = [5, 6, 9, 2_047, 2_048, 2_050, 9_000, 4]
    for (const slot of slots) objects.set(slot, `at ${slot}`)
    for (const slot of slots) assert.strictEqual(objects.get(slot), `at ${slot}`)
    for (const slot of [0, 8, 2_046, 2_049, 8_999]) assert.strictEqual(objects.get(slot), "filler")
    objects.set(5, "again")
    assert.deepStrictEqual(
      [4, 5, 6].map((slot) => objects.get(slot)),
      ["at 4", "again", "at 6"],
    )
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
