import { assert, describe, it } from "@effect/vitest"
import { missedKeys } from "../../../src/internal/runtime/limits.ts"
import { Missed, type MissedKey } from "../../../src/internal/state/missedChanges.ts"

const change = (over: Partial<MissedKey> = {}): MissedKey => ({
  madeAt: 1,
  atLeast: 1,
  ...over,
})

describe("missed keys", () => {
  it("two changes of a key are one, at the later place", () => {
    const missed = new Missed()
    missed.addKey("k", change({ madeAt: 5, atLeast: 2 }))
    missed.addKey("k", change({ madeAt: 3, atLeast: 7 }))
    assert.deepStrictEqual(missed.keys, [["k", { madeAt: 5, atLeast: 7 }]])
  })

  it("what was sent is forgotten only where nothing has taken its place", () => {
    const missed = new Missed()
    missed.addKey("k", change())
    const sent = missed.key("k")
    missed.addKey("k", change({ madeAt: 2 }))
    missed.heardKey("k", sent)
    assert.isDefined(missed.key("k"))
    missed.heardKey("k", missed.key("k"))
    assert.isTrue(missed.isEmpty)
  })

  it("after a failure another key goes first", () => {
    const missed = new Missed()
    for (const k of ["a", "b", "c"]) missed.addKey(k, change())
    const order = () => missed.keys.map(([k]) => k).join("")
    const orders = Array.from({ length: 4 }, (_, failures) => {
      missed.failures = failures
      return order()
    })
    assert.deepStrictEqual(orders, ["abc", "bca", "cab", "abc"])
  })

  it("more than the bound are one mark of everything", () => {
    const missed = new Missed()
    for (let i = 0; i < missedKeys; i++) missed.addKey(`k${i}`, change())
    assert.deepStrictEqual([missed.keys.length, missed.marks.length], [missedKeys, 0])
    missed.addKey("last", change())
    assert.deepStrictEqual(missed.keys, [])
    assert.deepStrictEqual(missed.marks, [{ tag: undefined, keepStale: true }])
  })
})

it("keys that became a mark are forgotten until that mark was sent, and no longer", () => {
  const missed = new Missed()
  for (let i = 0; i <= missedKeys; i++) missed.addKey(`k${i}`, change())
  missed.addMarks(["x"], true)
  const [everything, x] = missed.marks
  assert.isTrue(missed.keysForgotten)
  missed.heardMark(x!)
  assert.isTrue(missed.keysForgotten)
  missed.heardMark(everything!)
  assert.isFalse(missed.keysForgotten)
})

describe("missed marks", () => {
  it("concern every key, and one that was sent is forgotten unless it was set again", () => {
    const missed = new Missed()
    missed.addMarks(["x", "y"], true)
    const [x, y] = missed.marks
    missed.addMarks(["x"], true)
    missed.heardMark(x!)
    missed.heardMark(y!)
    assert.deepStrictEqual(missed.marks, [{ tag: "x", keepStale: true }])
    assert.isTrue(missed.hasMarks)
  })
})
