import { assert, describe, it } from "@effect/vitest"
import { firstSlot, none } from "../../../../src/internal/memory/bounded/columns.ts"
import { TinyLfu } from "../../../../src/internal/memory/bounded/tinyLfu.ts"

const most = 100
/** Hashes that are not in the sample by which the policy compares itself to LRU. */
const popular = 0x101
const honest = [0x102, 0x103, 0x105, 0x106, 0x107] as const

/** A full policy in which every key has the hash of a popular one, as someone could make it who knew of such keys. */
const besieged = (seed: number) => {
  const hashes = new Map<number, number>()
  const kept = { hashOf: (slot: number) => hashes.get(slot)!, weightOf: () => 1 }
  const policy = new TinyLfu(kept, { perEntry: 1 / most, perWeight: 0 }, most + 5, seed)
  const free = Array.from({ length: most + 1 }, (_, i) => firstSlot + most - i)
  const add = (hash: number): void => {
    const slot = free.pop()!
    hashes.set(slot, hash)
    policy.added(slot)
  }
  /** The hash of what goes. */
  const giveUp = (): number => {
    const victim = policy.victim(none)
    policy.removed(victim, false)
    free.push(victim)
    return hashes.get(victim)!
  }
  const popularSlots = () =>
    [...hashes].filter(([slot, hash]) => hash === popular && !free.includes(slot))
  const askForPopular = (): void => {
    const [slot] = popularSlots()[0]!
    for (let i = 0; i < 16; i += 1) policy.hit(slot)
  }
  for (let i = 0; i < most; i += 1) add(popular)
  return { add, askForPopular, giveUp, popular: () => popularSlots().length }
}

describe("TinyLfu", () => {
  it("keeps nothing out for ever by hashes that are those of popular keys", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { add, askForPopular, giveUp, popular: left } = besieged(seed)
      let tries = 0
      // A few go as the window grows; more than a few, by luck alone.
      while (left() > most - 10) {
        askForPopular()
        add(honest[tries % honest.length]!)
        giveUp()
        tries += 1
        assert.isBelow(tries, 10_000)
      }
      assert.isAbove(tries, 100)
    }
  })

  it("gives nothing up but what is not spared, and the last one too", () => {
    const { add, giveUp, popular: left } = besieged(1)
    add(honest[0])
    for (let i = 0; i <= most; i += 1) giveUp()
    assert.strictEqual(left(), 0)
  })

  const kinds = {
    entries: { perEntry: 1 / 1_000, perWeight: 0 },
    weight: { perEntry: 0, perWeight: 1 / 3_000 },
    both: { perEntry: 1 / 2_000, perWeight: 1 / 6_000 },
  }

  it.each(Object.entries(kinds))("begins with a window of 1 %, by %s", (_, costs) => {
    /** Whether what was added as the n-th from the end is in the window: only the main region guards what is hit. */
    const isInWindow = (n: number): boolean => {
      const kept = { hashOf: (slot: number) => slot << 8, weightOf: () => 3 }
      const policy = new TinyLfu(kept, costs, 1_000, 1)
      const slots = Array.from({ length: 1_000 }, (_each, i) => firstSlot + i)
      for (const slot of slots) policy.added(slot)
      policy.hit(slots.at(-n)!)
      policy.hit(slots.at(-1)!)
      const [first] = policy.hottest()
      return first === slots.at(-1)
    }
    assert.deepStrictEqual([2, 9, 10, 11, 500].map(isInWindow), [true, true, true, false, false])
  })
})
