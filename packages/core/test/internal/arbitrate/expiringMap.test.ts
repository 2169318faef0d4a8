import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ExpiringMap } from "../../../src/internal/arbitrate/expiringMap.ts"

const make = (capacity: number) => {
  const lost: Array<number> = []
  const map = new ExpiringMap<{ id: number; expiresAt: number }>(capacity, ({ id }) =>
    lost.push(id),
  )
  return { lost, map }
}

describe("ExpiringMap", () => {
  it("has a value until its end, exclusively", () => {
    const { lost, map } = make(10)
    map.set("a", { id: 1, expiresAt: 5 }, 0)
    assert.strictEqual(map.get("a", 4)?.id, 1)
    assert.isUndefined(map.get("a", 5))
    assert.strictEqual(map.size, 0)
    assert.deepStrictEqual(lost, [1])
  })

  it("law 17: is never over its capacity; the oldest written goes first", () => {
    const { lost, map } = make(2)
    map.set("a", { id: 1, expiresAt: 9 }, 0)
    map.set("b", { id: 2, expiresAt: 9 }, 0)
    map.set("a", { id: 3, expiresAt: 9 }, 0)
    map.set("c", { id: 4, expiresAt: 9 }, 0)
    assert.strictEqual(map.size, 2)
    assert.deepStrictEqual(lost, [2])
    assert.strictEqual(map.get("a", 0)?.id, 3)
  })

  it("writes remove what has ended, in a number of writes in proportion to it", () => {
    const { lost, map } = make(10_000)
    for (let i = 0; i < 1000; i++) map.set(`old${i}`, { id: i, expiresAt: 10 }, 0)
    for (let i = 0; i < 1000; i++) map.set(`new${i}`, { id: -1, expiresAt: 100 }, 10)
    assert.strictEqual(map.size, 1000)
    assert.strictEqual(lost.length, 1000)
  })

  it("deleting and replacing are no loss", () => {
    const { lost, map } = make(2)
    map.set("a", { id: 1, expiresAt: 9 }, 0)
    map.set("a", { id: 2, expiresAt: 9 }, 0)
    map.delete("a")
    assert.strictEqual(map.size, 0)
    assert.deepStrictEqual(lost, [])
  })

  it("answers like a map of which only ended and oldest values are missing", () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e"),
      life: fc.integer({ min: 0, max: 5 }),
      wait: fc.integer({ min: 0, max: 2 }),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { map } = make(3)
        const model = new Map<string, { id: number; expiresAt: number }>()
        let now = 0
        for (const [id, { key, life, wait }] of steps.entries()) {
          now += wait
          const value = { id, expiresAt: now + life }
          map.set(key, value, now)
          model.delete(key)
          model.set(key, value)
          assert.isAtMost(map.size, 3)
          const youngest = [...model].slice(-3)
          for (const [name, expected] of youngest) {
            const found = map.get(name, now)
            assert.strictEqual(found, now < expected.expiresAt ? expected : undefined)
          }
        }
      }),
    )
  })
})
