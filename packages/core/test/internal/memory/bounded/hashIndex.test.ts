import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { firstSlot, none } from "../../../../src/internal/memory/bounded/columns.ts"
import { HashIndex } from "../../../../src/internal/memory/bounded/hashIndex.ts"
import { type Draw, drawing, seed } from "../../../support/seeded.ts"

const slotsOf = (index: HashIndex, hash: number): ReadonlyArray<number> => {
  const slots: Array<number> = []
  for (let slot = index.first(hash); slot !== none; slot = index.following(slot)) slots.push(slot)
  return slots
}

/** Beside sets of slots by hash, and a list of all to take one from at random. */
class Watched {
  readonly #index: HashIndex
  readonly #byHash = new Map<number, Set<number>>()
  readonly #slots: Array<number> = []
  #highest = 0
  #mostKept = 0

  constructor(most: number) {
    this.#index = new HashIndex(most)
  }

  get size(): number {
    return this.#slots.length
  }

  add(hash: number): void {
    const slot = this.#index.add(hash)
    const slots = this.#byHash.get(hash) ?? new Set()
    if (slot < firstSlot || slots.has(slot)) throw new Error("takes a slot that is not free")
    slots.add(slot)
    this.#byHash.set(hash, slots)
    this.#slots.push(slot)
    this.#highest = Math.max(this.#highest, slot)
    this.#mostKept = Math.max(this.#mostKept, this.size)
  }

  remove(draw: Draw): void {
    const at = draw(this.size)
    const slot = this.#slots[at]!
    const hash = this.#index.hashOf(slot)
    this.#slots[at] = this.#slots.at(-1)!
    this.#slots.pop()
    const slots = this.#byHash.get(hash)
    if (slots?.delete(slot) !== true) throw new Error("has another hash at the slot")
    if (slots.size === 0) this.#byHash.delete(hash)
    this.#index.remove(slot)
  }

  /** Every slot is found by its hash, and no other is; slots given back are taken again. */
  check(absent: ReadonlyArray<number>): void {
    assert.strictEqual(this.#index.size, this.size)
    assert.strictEqual(new Set(this.#slots).size, this.size)
    assert.isAtMost(this.#highest, this.#mostKept + firstSlot)
    for (const [hash, slots] of this.#byHash) {
      const found = slotsOf(this.#index, hash)
      const isRight = found.length === slots.size && found.every((slot) => slots.has(slot))
      if (!isRight) assert.fail(`hash ${hash}: ${found.join()} for ${[...slots].join()}`)
    }
    for (const hash of absent) {
      if (!this.#byHash.has(hash)) assert.strictEqual(this.#index.first(hash), none)
    }
  }
}

const hashings: Record<string, (draw: Draw) => number> = {
  "all over": (draw) => draw(2 ** 32) | 0,
  "that are mostly the same": (draw) => draw(40) * 0x01000193,
  "whose low bits are the same": (draw) => (draw(2 ** 14) << 18) | 5,
  "of negative numbers": (draw) => -1 - draw(1_000),
}

describe("HashIndex", () => {
  for (const [name, hashOf] of Object.entries(hashings)) {
    it(`finds what is there through growing and shrinking, with hashes ${name}`, () => {
      const draw = drawing(seed)
      // Chains of many equal hashes are slow by nature.
      const most = name === "all over" ? 20_000 : 600
      for (const bound of [most, 5, Infinity]) {
        const watched = new Watched(bound + firstSlot + 1)
        const limit = Math.min(bound, most)
        for (let wave = 0; wave < 12; wave += 1) {
          const goal = draw(limit + 1)
          for (let i = 0; i < limit * 3; i += 1) {
            const adds = watched.size < goal ? draw(4) > 0 : draw(4) === 0
            if (adds ? watched.size < limit : watched.size === 0) watched.add(hashOf(draw))
            else watched.remove(draw)
          }
          watched.check(Array.from({ length: 50 }, () => hashOf(draw)))
        }
        while (watched.size > 0) watched.remove(draw)
        watched.check([0, 1, -1])
      }
    })
  }

  it("is right after any few steps", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(0, 1, 16, 32, -1, 0x7fffffff, -0x80000000) },
      { weight: 2, arbitrary: fc.constant("remove" as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(), (steps, from) => {
        const draw = drawing(from)
        const watched = new Watched(100)
        for (const one of steps) {
          if (one !== "remove") watched.add(one)
          else if (watched.size > 0) watched.remove(draw)
        }
        watched.check([2, 17])
      }),
    )
  })
})
