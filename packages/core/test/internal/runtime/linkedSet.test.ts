import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import { Chain, Linked } from "../../../src/internal/runtime/linkedSet.ts"

class One extends Linked<One> {}

describe("Chain", () => {
  it("has what a Set has after the same additions and deletions, in the same order", () => {
    const step = fc.record({ adds: fc.boolean(), which: fc.nat(7) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const members = Array.from({ length: 8 }, () => new One())
        const chain = new Chain<One>()
        const set = new Set<One>()
        for (const { adds, which } of steps) {
          const member = members[which]!
          if (adds && !set.has(member)) {
            chain.add(member)
            set.add(member)
          } else if (!adds) {
            chain.delete(member)
            set.delete(member)
          }
          assert.strictEqual(chain.size, set.size)
          const all = chain.all()
          assert.isTrue([...set].every((one, place) => one === all[place]))
          assert.strictEqual(all.length, set.size)
        }
      }),
    )
  })

  it("leaves members of another chain where they are", () => {
    const here = new Chain<One>()
    const there = new Chain<One>()
    const member = new One()
    there.add(member)
    here.delete(member)
    assert.deepStrictEqual([here.size, there.size], [0, 1])
  })

  it("drains in order, without those who were taken out meanwhile, with those who came", () => {
    const chain = new Chain<One>()
    const [a, b, c, d] = [new One(), new One(), new One(), new One()]
    for (const member of [a, b, c]) chain.add(member)
    const told: Array<One> = []
    chain.drain((member) => {
      told.push(member)
      assert.isFalse(chain.some((other) => other === member))
      if (member !== a) return
      chain.delete(b)
      chain.add(d)
    })
    assert.isTrue([a, c, d].every((member, place) => member === told[place]))
    assert.deepStrictEqual([told.length, chain.size], [3, 0])
  })

  it("tells all when it drains, and throws then what was thrown first", () => {
    const chain = new Chain<One>()
    const members = [new One(), new One(), new One()]
    for (const member of members) chain.add(member)
    let told = 0
    assert.throws(
      () =>
        chain.drain(() => {
          told += 1
          if (told > 1) throw new Error(`of ${told}`)
        }),
      "of 2",
    )
    assert.deepStrictEqual([told, chain.size], [3, 0])
  })

  it("holds nothing of a member that was taken out, nor that of it", () => {
    const chain = new Chain<One>()
    const [a, b, c] = [new One(), new One(), new One()]
    for (const member of [a, b, c]) chain.add(member)
    chain.delete(b)
    assert.deepInclude(b, { chain: undefined, before: undefined, after: undefined })
    assert.isTrue(a.after === c && c.before === a)
  })
})
