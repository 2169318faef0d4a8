/** Names in Redis: one for each key of each larder, whatever they are called, and back. */
import { it } from "@effect/vitest"
import * as fc from "fast-check"
import { assert, describe } from "vitest"
import * as Keys from "../../src/internal/keys.ts"
import { slotOf } from "../../src/internal/keySlot.ts"

const text = fc.string({ unit: "binary", maxLength: 12 })
const tricky = fc.string({
  unit: fc.constantFrom("%", ":", "{", "}", "2", "5", "a", "v"),
  maxLength: 8,
})
const any = fc.oneof(text, tricky)
const prefix = any.filter((each) => Keys.prefixMust(each) === undefined)

describe("names", () => {
  it("are as they are documented", () => {
    const { channel, entry, floors, lease, marks } = Keys.keysOf("p", "a:b")
    assert.deepStrictEqual(
      [entry("1"), entry("{x}"), entry(""), lease("50%"), marks, floors, channel],
      [
        "p:v:a%3Ab:{1}",
        "p:v:a%3Ab:{%7Bx%7D}",
        "p:v:a%3Ab:{%}",
        "p:l:a%3Ab:{50%25}",
        "p:m:{a%3Ab}",
        "p:f:{a%3Ab}",
        "p:c:{a%3Ab}",
      ],
    )
  })

  it("say what they are names of", () => {
    fc.assert(
      fc.property(prefix, any, any, (prefix, larder, key) => {
        const { entry, floors, lease, marks } = Keys.keysOf(prefix, larder)
        assert.deepStrictEqual(Keys.parse(prefix, entry(key)), { _tag: "Entry", larder, key })
        assert.deepStrictEqual(Keys.parse(prefix, lease(key)), { _tag: "Lease", larder, key })
        assert.deepStrictEqual(Keys.parse(prefix, marks), { _tag: "Marks", larder })
        assert.deepStrictEqual(Keys.parse(prefix, floors), { _tag: "Floors", larder })
      }),
    )
  })

  it("of one prefix are never names of another", () => {
    const short = fc
      .string({ unit: fc.constantFrom(":", "v", "m", "a", "%"), minLength: 1, maxLength: 6 })
      .filter((each) => Keys.prefixMust(each) === undefined)
    fc.assert(
      fc.property(short, short, tricky, tricky, (one, other, larder, key) => {
        if (one === other) return
        const { entry, floors, lease, marks } = Keys.keysOf(one, larder)
        for (const name of [entry(key), lease(key), marks, floors]) {
          assert.isUndefined(Keys.parse(other, name))
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it("a larder has a sharded channel in each block of slots, for ever under the same name", () => {
    const { channel, shards } = Keys.keysOf("p", "a b:{}")
    assert.deepStrictEqual(
      shards.map((shard) => shard.replace(/^p:c:\{(\d+)\}:a b%3A%7B%7D$/, "$1")),
      ["10", "3", "61", "43", "11", "2", "60", "42", "12", "1", "63", "41", "13", "0", "62", "40"],
    )
    for (const [block, shard] of shards.entries()) {
      assert.strictEqual(Keys.blockOf(slotOf(Keys.tagOf(shard))), block)
      assert.strictEqual(Keys.slotsOfBlocks[block], slotOf(Keys.tagOf(shard)))
      assert.notStrictEqual(shard, channel)
    }
  })

  it("of somebody else are not taken for ours", () => {
    for (const name of [
      "p",
      "p:",
      "p:v:",
      "p:v:a",
      "p:v:a:b",
      "p:v:a:{}",
      "p:v::{k}",
      "p:v:a:{k}x",
      "p:v:a:{%7b}",
      "p:v:a:{%41}",
      "p:x:a:{k}",
      "p:m:a",
      "q:v:a:{k}",
      "pp:v:a:{k}",
    ]) {
      assert.isUndefined(Keys.parse("p", name), name)
    }
  })
})

describe("slots", () => {
  it("are those of the Redis Cluster specification", () => {
    // 0x31c3, the check value of CRC-16/XMODEM, and what CLUSTER KEYSLOT says.
    assert.strictEqual(slotOf("123456789"), 0x31c3)
    assert.strictEqual(slotOf("foo"), 12_182)
    assert.strictEqual(slotOf(""), 0)
  })
})
