import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { firstSlot } from "../../../../src/internal/memory/bounded/columns.ts"
import { SlotLists } from "../../../../src/internal/memory/bounded/slotLists.ts"

const lists = [1, 2, 3] as const

const fromNewest = (slots: SlotLists, list: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let slot = slots.newest(list); slot !== list; slot = slots.older(slot)) found.push(slot)
  return found
}

const fromOldest = (slots: SlotLists, list: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let slot = slots.oldest(list); slot !== list; slot = slots.newer(slot)) found.push(slot)
  return found
}

describe("SlotLists", () => {
  it("are as arrays would be", () => {
    const step = fc.tuple(
      fc.constantFrom("push", "renew", "remove"),
      fc.integer({ min: firstSlot, max: 90 }),
      fc.constantFrom(...lists),
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.constantFrom(5, 95, Infinity),
        (steps, most) => {
          const slots = new SlotLists(most)
          const expected = new Map<number, Array<number>>(lists.map((list) => [list, []]))
          // A slot is taken only next to one that was taken before.
          let next = firstSlot
          for (const [what, wanted, list] of steps) {
            const slot = Math.min(wanted, next)
            const holder = lists.find((one) => expected.get(one)!.includes(slot))
            const held = holder === undefined ? undefined : expected.get(holder)!
            if (what === "push" && held === undefined) {
              slots.push(list, slot)
              expected.get(list)!.unshift(slot)
              next = Math.max(next, slot + 1)
            } else if (what !== "push" && holder !== undefined && held !== undefined) {
              held.splice(held.indexOf(slot), 1)
              if (what === "remove") slots.remove(slot)
              else {
                slots.renew(holder, slot)
                held.unshift(slot)
              }
            }
          }
          for (const list of lists) {
            assert.deepStrictEqual(fromNewest(slots, list), expected.get(list))
            assert.deepStrictEqual(fromOldest(slots, list), expected.get(list)!.toReversed())
          }
        },
      ),
    )
  })

  it("takes slot after slot, however many there are", () => {
    for (const most of [1_000, Infinity]) {
      const slots = new SlotLists(most)
      const pushed = Array.from({ length: 900 }, (_, i) => firstSlot + i)
      for (const slot of pushed) {
        slots.push(2, slot)
        assert.deepStrictEqual([slots.newest(2), slots.oldest(2)], [slot, firstSlot])
      }
      assert.deepStrictEqual(fromOldest(slots, 2), pushed)
      assert.deepStrictEqual(fromNewest(slots, 2), pushed.toReversed())
      for (const slot of pushed.slice(0, -1)) slots.renew(2, slot)
      assert.deepStrictEqual(fromOldest(slots, 2), [firstSlot + 899, ...pushed.slice(0, -1)])
    }
  })
})
