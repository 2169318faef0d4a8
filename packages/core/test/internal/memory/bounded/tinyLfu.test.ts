import { assert, describe, it } from "@effect/vitest"
import { firstSlot, none } from "../../../../src/internal/memory/bounded/columns.ts"
import type {
  Costs,
  EvictionPolicy,
} from "../../../../src/internal/memory/bounded/evictionPolicy.ts"
import { finish } from "../../../../src/internal/memory/bounded/stringHash.ts"
import { TinyLfu } from "../../../../src/internal/memory/bounded/tinyLfu.ts"
import { PlainTinyLfu } from "../../../support/plainTinyLfu.ts"
import { type Draw, drawing } from "../../../support/seeded.ts"

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

/** A policy over slots that have hashes of their own, and weigh 1 unless they are said to weigh more. */
const small = (costs: Costs = { perEntry: 1 / 3, perWeight: 0 }) => {
  const weights = new Map<number, number>()
  const kept = {
    hashOf: (slot: number) => finish(slot),
    weightOf: (slot: number) => weights.get(slot) ?? 1,
  }
  return { policy: new TinyLfu(kept, costs, 1_000, 1), weights }
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

  it("has nothing to give up where nothing is kept, or only what is spared", () => {
    const { policy } = small()
    assert.strictEqual(policy.victim(none), none)
    policy.added(4)
    assert.strictEqual(policy.victim(4), none)
    assert.strictEqual(policy.victim(none), 4)
  })

  it("gives up what left the window last, unless it is worth more, is spared or has gone", () => {
    const { policy } = small()
    for (const slot of [4, 5, 6]) policy.added(slot)
    // 6 is in the window, 5 left it last, 4 before that.
    assert.strictEqual(policy.victim(none), 5)
    assert.strictEqual(policy.victim(5), 4)
    policy.removed(5, true)
    assert.strictEqual(policy.victim(none), 4)
  })

  it("gives up what left the window last once nothing else is kept, whatever it is worth", () => {
    const { policy } = small()
    for (const slot of [4, 5, 6]) policy.added(slot)
    for (let i = 0; i < 3; i += 1) policy.hit(5)
    for (const slot of [4, 6, 5]) {
      assert.strictEqual(policy.victim(none), slot)
      policy.removed(slot, false)
    }
  })

  it("takes into the window what is as large as that", () => {
    const { policy, weights } = small({ perEntry: 0, perWeight: 1 / 128 })
    const weightless = Array.from({ length: 200 }, (_, i) => firstSlot + i)
    for (const slot of weightless) {
      weights.set(slot, 0)
      policy.added(slot)
    }
    weights.set(300, 49).set(301, 50)
    for (const slot of [300, 301, 302]) policy.added(slot)
    // Of 100, the window has 1. What is hit in the main region is hotter.
    policy.hit(300)
    policy.hit(302)
    assert.deepStrictEqual([...policy.hottest()].slice(0, 2), [300, 302])
  })

  it("guards four fifths of the main region, and not a bit more", () => {
    const guardedOf = (weight: number): ReadonlyArray<number> => {
      const { policy, weights } = small({ perEntry: 0, perWeight: 1 / 128 })
      weights
        .set(4, weight)
        .set(5, 60)
        .set(6, 65 - weight)
        .set(7, 0)
      for (const slot of [4, 5, 6, 7]) policy.added(slot)
      // Of 125, a window of 1 % leaves 123.75, of which four fifths are 99. What is hit in the window is less hot.
      for (const slot of [4, 5, 7]) policy.hit(slot)
      const hottest = [...policy.hottest()]
      return hottest.slice(0, hottest.indexOf(7))
    }
    assert.deepStrictEqual(guardedOf(39), [5, 4])
    assert.deepStrictEqual(guardedOf(40), [5])
  })

  it("takes into the window what is twice as large as all are on average", () => {
    const { policy, weights } = small({ perEntry: 0, perWeight: 1 / 8 })
    for (const slot of [4, 5, 6]) policy.added(slot)
    weights.set(7, 3)
    policy.added(7)
    // Of 4 entries that weigh 6 together, one that weighs 3.
    policy.hit(4)
    policy.hit(7)
    assert.deepStrictEqual([...policy.hottest()].slice(0, 2), [4, 7])
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

interface World {
  readonly maxEntries: number
  readonly maxWeight: number
  readonly weightOf: (draw: Draw) => number
}

const light = (draw: Draw): number => 1 + Math.min(draw(12), draw(12))

const worlds: Record<string, World> = {
  "by entries": { maxEntries: 240, maxWeight: Infinity, weightOf: () => 1 },
  "by weight": {
    maxEntries: Infinity,
    maxWeight: 1_000,
    weightOf: (draw) => (draw(40) === 0 ? 20 + draw(600) : light(draw)),
  },
  "by both": {
    maxEntries: 160,
    maxWeight: 700,
    weightOf: (draw) => (draw(60) === 0 ? draw(300) : light(draw)),
  },
  "by so little that few fit": {
    maxEntries: 9,
    maxWeight: 40,
    weightOf: (draw) => draw(9),
  },
}

/** A policy and the plain one, which are told and asked the same. */
class Twins {
  readonly #world: World
  readonly #policy: TinyLfu
  readonly plain: PlainTinyLfu
  readonly #slots = new Map<number, number>()
  readonly #weights = new Map<number, number>()
  readonly #keys = new Map<number, number>()
  readonly #free: Array<number> = []
  #weight = 0

  constructor(world: World, from: number) {
    const { maxEntries, maxWeight } = world
    const kept = {
      hashOf: (slot: number) => finish(this.#keys.get(slot)!),
      weightOf: (slot: number) => this.#weights.get(slot)!,
    }
    const costs = { perEntry: 1 / maxEntries, perWeight: 1 / maxWeight }
    this.#world = world
    this.#policy = new TinyLfu(kept, costs, maxEntries + firstSlot + 1, from)
    this.plain = new PlainTinyLfu(kept, costs, from)
  }

  get size(): number {
    return this.#slots.size
  }

  /** A hit, or a miss and what is then kept. */
  ask(key: number, weight: number): void {
    const slot = this.#slots.get(key)
    if (slot !== undefined) return this.#both((policy) => policy.hit(slot))
    const taken = this.#free.pop() ?? firstSlot + this.size
    this.#slots.set(key, taken)
    this.#keys.set(taken, key)
    this.#weights.set(taken, weight)
    this.#weight += weight
    this.#both((policy) => policy.added(taken))
    this.makeRoom(none)
  }

  /** What is kept at a key has another weight, and stays. */
  reweigh(key: number, weight: number): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    const by = weight - this.#weights.get(slot)!
    this.#both((policy) => policy.reweighed(slot, by))
    this.#weights.set(slot, weight)
    this.#weight += by
    this.makeRoom(slot)
  }

  take(key: number): void {
    const slot = this.#slots.get(key)
    if (slot !== undefined) this.#remove(slot, true)
  }

  /** The next that goes, whether or not there is room; not what is at the key. */
  giveUp(spared: number): void {
    this.#giveUp(this.#slots.get(spared) ?? none)
  }

  makeRoom(spared: number): void {
    const { maxEntries, maxWeight } = this.#world
    while (this.size > maxEntries || this.#weight > maxWeight) this.#giveUp(spared)
  }

  compare(): void {
    assert.deepStrictEqual([...this.#policy.hottest()], this.plain.hottest())
  }

  #giveUp(spared: number): void {
    const victim = this.plain.victim(spared)
    assert.strictEqual(this.#policy.victim(spared), victim)
    if (victim !== none) this.#remove(victim, false)
  }

  #remove(slot: number, wasTaken: boolean): void {
    this.#both((policy) => policy.removed(slot, wasTaken))
    this.#weight -= this.#weights.get(slot)!
    this.#slots.delete(this.#keys.get(slot)!)
    this.#free.push(slot)
  }

  #both(tell: (policy: EvictionPolicy) => void): void {
    tell(this.#policy)
    tell(this.plain)
  }
}

/** How keys are asked for: each kind is best served by another share of the window. */
const kinds: ReadonlyArray<(i: number, size: number, draw: Draw) => number> = [
  // All fit.
  (_, size, draw) => draw(Math.ceil(size * 0.4)),
  // What pays for a time and never again: LRU country.
  (i, size, draw) => 1_000_000 + Math.floor(i / 4) - draw(Math.ceil(size * 0.6)),
  // Some keys are popular for ever.
  (_, size, draw) => Math.min(draw(size * 4), draw(size * 4), draw(size * 4)),
  // A loop that is slightly too large.
  (i, size) => 500_000 + (i % Math.ceil(size * 1.15)),
]

/** Asks both for so many keys, of each kind in turn, and changes and takes some. */
const ask = (world: World, requests: number, from: number): ReadonlySet<number> => {
  const draw = drawing(from)
  const twins = new Twins(world, from)
  const shares = new Set<number>()
  const size = Math.min(world.maxEntries, world.maxWeight / 5)
  for (let i = 0; i < requests; i += 1) {
    const phase = Math.floor(i / (size * 12))
    const key = kinds[(phase + from) % kinds.length]!(i, size, draw)
    const step = draw(400)
    // In some phases much is taken.
    if (step === 0 || (step < 40 && phase % 3 === 1)) twins.take(key)
    else if (step < 44) twins.reweigh(key, world.weightOf(draw))
    else if (step === 45) twins.giveUp(key)
    else twins.ask(key, world.weightOf(draw))
    if (i % 16 === 0) twins.compare()
    shares.add(twins.plain.share)
  }
  twins.compare()
  return shares
}

describe("TinyLfu, beside the same written down plainly", () => {
  it.each(Object.entries(worlds))("gives up the same, one for one, bound %s", (_, world) => {
    const shares = ask(world, 16_000, 20_261_121)
    // The requests were such that the window grew and shrank.
    assert.isAbove(shares.size, 5)
    assert.isAtLeast(Math.max(...shares), 0.8)
  })

  it("gives up the same where hardly anything fits", () => {
    for (let most = 1; most <= 24; most += 1) {
      ask({ maxEntries: most, maxWeight: Infinity, weightOf: () => 1 }, most * 100, most)
      const maxWeight = most * 4
      const weightOf = (draw: Draw) => Math.min(maxWeight, draw(8))
      ask({ maxEntries: Infinity, maxWeight, weightOf }, most * 100, most)
    }
  })
})
