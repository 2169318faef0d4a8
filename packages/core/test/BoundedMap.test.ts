/** A failure of the long sequences names its seed; `LARDER_SEED=<seed>` runs it again. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { BoundedMap } from "../src/index.ts"
import { hashKey, stringHash } from "../src/internal/memory/bounded/stringHash.ts"
import { Watched } from "./support/naiveMap.ts"
import { type Draw, drawing, seed } from "./support/seeded.ts"

const evictions: ReadonlyArray<BoundedMap.Eviction> = ["w-tinylfu", "lru"]
const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `key:${i}`)

interface World {
  readonly name: string
  /** The first to begin with. */
  readonly bounds: ReadonlyArray<readonly [maxEntries: number, maxWeight: number]>
  readonly keys: number
  readonly heaviest: number
  readonly steps: number
}

const worlds: ReadonlyArray<World> = [
  {
    name: "entries",
    bounds: [
      [60, Infinity],
      [90, Infinity],
      [20, Infinity],
      [59, Infinity],
    ],
    keys: 150,
    heaviest: 0,
    steps: 120_000,
  },
  {
    name: "weight",
    bounds: [
      [Infinity, 300],
      [Infinity, 30],
      [Infinity, 500],
      [Infinity, Infinity],
    ],
    keys: 200,
    heaviest: 20,
    steps: 120_000,
  },
  {
    name: "both",
    bounds: [
      [40, 200],
      [80, 100],
      [10, 400],
      [Infinity, 200],
      [200, Infinity],
    ],
    keys: 120,
    heaviest: 30,
    steps: 120_000,
  },
  {
    name: "tiny bounds",
    bounds: [
      [2, Infinity],
      [1, 3],
      [0, 5],
      [3, 0],
      [2, 1],
      [1, Infinity],
      [Infinity, 2],
    ],
    keys: 6,
    heaviest: 4,
    steps: 80_000,
  },
  {
    name: "large bounds",
    bounds: [
      [3_000, 20_000],
      [5_000, 30_000],
      [1_000, Infinity],
      [Infinity, 9_000],
    ],
    keys: 8_000,
    heaviest: 10,
    steps: 60_000,
  },
]

/** Some keys are asked for more often than others. */
const someKey = (keys: ReadonlyArray<string>, draw: Draw): string =>
  keys[Math.min(draw(keys.length), draw(keys.length))]!

const endOf = (now: number, draw: Draw): number => {
  const kind = draw(20)
  if (kind === 0) return now - draw(2)
  return kind < 10 ? Infinity : now + 1 + draw(kind < 16 ? 400 : 10)
}

const weightOf = (heaviest: number, draw: Draw): number =>
  heaviest === 0 ? 1 : Math.min(draw(heaviest + 1), draw(heaviest + 1))

const boundsOf = (world: World, at: number): BoundedMap.Bounds => {
  const [maxEntries, maxWeight] = world.bounds[at]!
  return { maxEntries, maxWeight }
}

const run = (world: World, eviction: BoundedMap.Eviction, from: number): void => {
  const draw = drawing(from)
  const keys = keysOf(world.keys)
  const isSmall = world.keys <= 200
  const watched = new Watched({ ...boundsOf(world, 0), eviction, seed: from }, isSmall)
  const compareEvery = isSmall ? 300 : 3_000
  let now = 0
  const step = (): void => {
    const kind = draw(10_000)
    if (kind < 4_200) {
      const key = someKey(keys, draw)
      watched.set(key, weightOf(world.heaviest, draw), endOf(now, draw), now)
    } else if (kind < 7_500) watched.get(someKey(keys, draw), now)
    else if (kind < 8_500) watched.hit(someKey(keys, draw))
    else if (kind < 9_000) watched.delete(someKey(keys, draw))
    else if (kind < 9_600) now += draw(20)
    else if (kind < 9_800) watched.expire(now, draw(6))
    else if (kind < 9_890) watched.shrink(draw(10))
    else if (kind < 9_998) watched.resize(boundsOf(world, draw(world.bounds.length)))
    else watched.clear()
  }
  for (let i = 0; i < world.steps; i += 1) {
    try {
      step()
      if (i % compareEvery === 0) watched.compare(keys)
    } catch (cause) {
      throw new Error(`LARDER_SEED=${seed}, step ${i}`, { cause })
    }
  }
}

describe("a million random operations, beside a naive map", () => {
  for (const eviction of evictions) {
    for (const world of worlds) {
      it(`${eviction}, bound by ${world.name}`, { timeout: 60_000 }, () => {
        run(world, eviction, seed)
      })
    }
  }

  it("are a million", () => {
    const steps = worlds.reduce((sum, world) => sum + world.steps, 0)
    assert.isAtLeast(steps * evictions.length, 1_000_000)
  })
})

describe("a bounded map", () => {
  it("gives up the same, one for one, under the same seed and calls", () => {
    const gone = (from: number) => {
      const log: Array<string> = []
      const map = BoundedMap.make<number>({
        maxEntries: 200,
        maxWeight: 900,
        seed: from,
        onEvicted: (key, value, cause) => log.push(`${key} ${value} ${cause}`),
      })
      const draw = drawing(from)
      const keys = keysOf(600)
      for (let i = 0; i < 40_000; i += 1) {
        const key = someKey(keys, draw)
        const expiresAt = endOf(i, draw)
        if (map.get(key, i) === undefined) {
          map.set(key, i, { now: i, weight: draw(10), expiresAt })
        }
      }
      return log
    }
    const log = gone(seed)
    assert.isAbove(log.length, 1_000)
    assert.deepStrictEqual(gone(seed), log)
  })

  it("takes any string for a key", () => {
    const strange = [
      "",
      "\0",
      "__proto__",
      "constructor",
      "hasOwnProperty",
      "\ud800",
      "\udc00",
      "\udc00\ud800",
      "\ud83d\ude00",
      "👩‍👩‍👧‍👦",
      "é",
      "e\u0301",
      "a".repeat(1_024),
      `${"a".repeat(1_023)}b`,
      `b${"a".repeat(1_023)}`,
      "\uffff".repeat(1_024),
    ]
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction })
      for (const [i, key] of strange.entries()) assert.isTrue(map.set(key, i))
      for (const [i, key] of strange.entries()) assert.strictEqual(map.get(key), i, key)
      for (const [i, key] of strange.entries()) {
        assert.isTrue(map.delete(key), key)
        assert.isUndefined(map.get(key), key)
        assert.strictEqual(map.size, strange.length - i - 1)
      }
    }
  })

  it("tells keys with the same hash apart", () => {
    const byHash = new Map<number, string>()
    const pairs: Array<readonly [string, string]> = []
    const draw = drawing(7)
    for (let i = 0; i < 300_000; i += 1) {
      const key = `${draw(2 ** 32)}:${i}`
      const hash = stringHash(key, hashKey(7))
      const other = byHash.get(hash)
      if (other !== undefined) pairs.push([other, key])
      byHash.set(hash, key)
    }
    assert.isAbove(pairs.length, 3)
    const map = BoundedMap.make<string>({ seed: 7 })
    for (const key of pairs.flat()) map.set(key, key)
    for (const key of pairs.flat()) assert.strictEqual(map.get(key), key)
    for (const [one] of pairs) assert.isTrue(map.delete(one))
    for (const [one, other] of pairs) {
      assert.isUndefined(map.get(one))
      assert.strictEqual(map.get(other), other)
    }
  })

  it("takes the time for 0 where none is said", () => {
    const map = BoundedMap.make<number>()
    assert.isTrue(map.set("a", 1, { expiresAt: 1 }))
    assert.strictEqual(map.get("a"), 1)
    assert.isFalse(map.set("a", 1, { expiresAt: 0 }))
    assert.isUndefined(map.get("a"))
  })

  it("lets go of what it had when it is cleared", () => {
    const map = BoundedMap.make<string>()
    for (const key of ["a", "b"]) map.set(key, key)
    const slot = map.find("b")
    map.clear()
    map.set("c", "c")
    assert.isUndefined(map.at(slot))
  })

  it("has a seed of 0 where none is given", () => {
    const gone = (options: BoundedMap.Options<true>) => {
      const log: Array<string> = []
      const onEvicted = (key: string) => void log.push(key)
      const map = BoundedMap.make<true>({ maxEntries: 50, onEvicted, ...options })
      const draw = drawing(1)
      const keys = keysOf(200)
      for (let i = 0; i < 5_000; i += 1) hitRatio(map, [someKey(keys, draw)])
      return log
    }
    assert.deepStrictEqual(gone({}), gone({ seed: 0 }))
    assert.notDeepEqual(gone({}), gone({ seed: 1 }))
  })

  it("takes a read of nothing for none", () => {
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction, maxEntries: 2 })
      map.hit(map.find("none"))
      map.set("a", 1)
      map.hit(map.find("none"))
      map.set("b", 2)
      map.set("c", 3)
      assert.lengthOf([...map.hottest()], 2)
    }
  })

  it("does not notice when bounds that it was given are changed behind its back", () => {
    const bounds = { maxEntries: 2, maxWeight: Infinity }
    const map = BoundedMap.make<number>({ maxEntries: 1 })
    map.resize(bounds)
    bounds.maxEntries = 0
    assert.isTrue(map.set("a", 1))
    assert.strictEqual(map.bounds.maxEntries, 2)
  })

  it("holds a million entries that are bound by weight alone", () => {
    const entries = 1_000_000
    const map = BoundedMap.make<number>({ maxEntries: Infinity, maxWeight: entries * 2 })
    for (let i = 0; i < entries; i += 1) map.set(`key:${i}`, i, { weight: 2 })
    assert.strictEqual(map.size, entries)
    for (let i = 0; i < entries; i += 97) assert.strictEqual(map.get(`key:${i}`), i)
    for (let i = 0; i < 1_000; i += 1) map.set(`other:${i}`, i, { weight: 2 })
    assert.strictEqual(map.size, entries)
    assert.strictEqual(map.weight, entries * 2)
    map.clear()
    assert.strictEqual(map.size + map.weight, 0)
    assert.isUndefined(map.get("key:0"))
  })

  it("does not grow with what comes and goes", () => {
    setFlagsFromString("--expose-gc")
    const collect: () => void = runInNewContext("gc")
    const used = () => {
      collect()
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      return arrayBuffers + heapUsed
    }
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction, maxEntries: 1_000, maxWeight: 5_000 })
      const churn = (from: number, count: number): void => {
        for (let i = from; i < from + count; i += 1) {
          map.set(`key:${i}`, i, { now: i, weight: i % 9, expiresAt: i + 700 + (i % 600) })
          map.get(`key:${i - (i % 900)}`, i)
          if (i % 7 === 0) map.delete(`key:${i - 3}`)
        }
      }
      churn(0, 30_000)
      const before = used()
      churn(30_000, 300_000)
      assert.isBelow(used() - before, 1_000_000)
      assert.isBelow(map.find("key:329999"), 1_010)
    }
  })
})

describe("expired entries", () => {
  it("go before anything else, though they were read most of all", () => {
    for (const eviction of evictions) {
      const gone: Array<string> = []
      const map = BoundedMap.make<number>({
        eviction,
        maxEntries: 3,
        onEvicted: (key, _, cause) => gone.push(`${key} ${cause}`),
      })
      map.set("short", 1, { expiresAt: 10 })
      map.set("long", 2, { expiresAt: 20 })
      map.set("ever", 3)
      for (let i = 0; i < 20; i += 1) map.get("short", 9)
      map.set("new", 4, { now: 10 })
      assert.deepStrictEqual(gone, ["short expired"])
      assert.strictEqual(map.nextExpiry, 20)
    }
  })

  it("go before anything else while lowered bounds are reached, too", () => {
    for (const eviction of evictions) {
      const gone: Array<string> = []
      const map = BoundedMap.make<number>({
        eviction,
        onEvicted: (key, _, cause) => gone.push(`${key} ${cause}`),
      })
      for (const key of keysOf(50)) map.set(key, 1)
      for (let i = 0; i < 50; i += 1) map.set(`short:${i}`, 1, { expiresAt: 10 })
      map.resize({ maxEntries: 51, maxWeight: Infinity })
      map.set("new", 1, { now: 10 })
      assert.strictEqual(map.size, 51)
      assert.isTrue(gone.every((line) => /^short:\d+ expired$/.test(line)))
    }
  })

  it("go eight with each write where there is room", () => {
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction })
      for (const key of keysOf(20)) map.set(key, 1, { expiresAt: 10 })
      const sizes = ["a", "b", "c"].map((key) => {
        map.set(key, 1, { now: 10 })
        return map.size
      })
      assert.deepStrictEqual(sizes, [13, 6, 3])
    }
  })

  it("end at 0 as at any other time", () => {
    const map = BoundedMap.make<number>()
    assert.strictEqual(map.nextExpiry, Infinity)
    map.set("a", 1, { now: -10, expiresAt: 0 })
    assert.strictEqual(map.nextExpiry, 0)
    assert.strictEqual(map.get("a", -1), 1)
    assert.isUndefined(map.get("a", 0))
  })

  it("are none to shrink, which is told no time", () => {
    const gone: Array<string> = []
    const map = BoundedMap.make<number>({
      eviction: "lru",
      onEvicted: (key, _, cause) => gone.push(`${key} ${cause}`),
    })
    map.set("old", 1, { now: -10 })
    map.set("ended", 1, { now: -10, expiresAt: -5 })
    map.resize({ maxEntries: 1, maxWeight: Infinity })
    map.shrink(1)
    assert.deepStrictEqual(gone, ["old size"])
  })

  it("are still found, but not got", () => {
    const map = BoundedMap.make<number>()
    map.set("a", 1, { expiresAt: 10 })
    assert.strictEqual(map.get("a", 9), 1)
    assert.isUndefined(map.get("a", 10))
    assert.strictEqual(map.at(map.find("a")), 1)
    assert.isFalse(map.expire(10, 1))
    assert.strictEqual(map.find("a"), 0)
  })
})

describe("lowered bounds", () => {
  it("do not cost what was just written anew its place", () => {
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction })
      for (const key of keysOf(50)) map.set(key, 1)
      map.resize({ maxEntries: 1, maxWeight: Infinity })
      assert.isTrue(map.set("key:0", 2))
      assert.strictEqual(map.get("key:0"), 2)
      assert.strictEqual(map.size, 1)
    }
  })

  it("let a newcomer be given up, and say so", () => {
    const map = BoundedMap.make<number>({ maxEntries: 60 })
    for (const key of keysOf(60)) map.set(key, 1)
    for (let i = 0; i < 3; i += 1) for (const key of keysOf(60)) map.get(key)
    map.resize({ maxEntries: Infinity, maxWeight: 40 })
    assert.isFalse(map.set("heavy", 1, { weight: 20 }))
    assert.strictEqual(map.find("heavy"), 0)
    assert.strictEqual(map.size, 40)
  })

  it("are reached some at a time with each write, or at once by shrink", () => {
    for (const eviction of evictions) {
      for (const bounds of [
        { maxEntries: 10, maxWeight: Infinity },
        { maxEntries: Infinity, maxWeight: 10 },
      ]) {
        const map = BoundedMap.make<number>({ eviction })
        for (const key of keysOf(1_000)) map.set(key, 1)
        map.resize(bounds)
        assert.strictEqual(map.size, 1_000)
        // One for the newcomer, and 64 more.
        for (let i = 1; i <= 5; i += 1) {
          map.set(`new:${i}`, 1)
          assert.strictEqual(map.size, 1_000 - 64 * i)
        }
        assert.isTrue(map.shrink(100))
        assert.strictEqual(map.size, 580)
        assert.isFalse(map.shrink(Infinity))
        assert.strictEqual(map.size, 10)
      }
    }
  })

  it("hold from the next write on where the map was cleared before they were reached", () => {
    for (const eviction of evictions) {
      const map = BoundedMap.make<number>({ eviction, maxEntries: 100, maxWeight: 100 })
      for (const key of keysOf(100)) map.set(key, 1)
      map.resize({ maxEntries: 5, maxWeight: 7 })
      map.clear()
      for (const key of keysOf(20)) {
        map.set(key, 1, { weight: 2 })
        assert.isAtMost(map.weight, 7)
      }
      for (const key of keysOf(20)) {
        map.set(key, 1)
        assert.isAtMost(map.size, 5)
      }
    }
  })

  it("of 0 leave the policy as good as it was once they are raised again", () => {
    const lru = (wentThroughZero: boolean) => {
      const map = BoundedMap.make<true>({ maxEntries: 512, maxWeight: 512 })
      for (const key of keysOf(400)) map.set(key, true)
      if (wentThroughZero) {
        map.resize({ maxEntries: 0, maxWeight: 0 })
        for (const key of keysOf(400)) map.get(key)
        map.shrink(1)
        map.resize({ maxEntries: 512, maxWeight: 512 })
      }
      // What pays for a time and never again: LRU country.
      let hits = 0
      const draw = drawing(1)
      for (let i = 0; i < 150_000; i += 1) {
        const key = `phase:${Math.floor(i / 4) - draw(300)}`
        if (map.get(key) === true) hits += 1
        else map.set(key, true)
      }
      return hits
    }
    assert.closeTo(lru(true) / lru(false), 1, 0.01)
  })
})

/** A hundred entries of weight 1, and no room for more weight. */
const fullOfLight = () => {
  const gone: Array<string> = []
  const map = BoundedMap.make<number>({
    maxEntries: Infinity,
    maxWeight: 100,
    onEvicted: (key) => gone.push(key),
  })
  const light = keysOf(100)
  for (const key of light) map.set(key, 1)
  return { gone, light, map }
}

/** What must be so of any map: each of its parts knows of the same entries. */
const assertSound = (map: BoundedMap.BoundedMap<string>, keys: ReadonlyArray<string>): void => {
  const kept = keys.filter((key) => map.find(key) !== 0)
  assert.strictEqual(map.size, kept.length)
  for (const key of kept) assert.strictEqual(map.at(map.find(key)), key)
  const hottest = [...map.hottest()].map((slot) => map.at(slot))
  assert.deepStrictEqual(hottest.toSorted(), kept.toSorted())
  assert.isAtMost(map.size, map.bounds.maxEntries)
  assert.isAtMost(map.weight, map.bounds.maxWeight)
}

describe("what is told of evictions", () => {
  it("may read what goes next", () => {
    for (const eviction of evictions) {
      const keys = keysOf(40)
      const map: BoundedMap.BoundedMap<string> = BoundedMap.make<string>({
        eviction,
        maxEntries: Infinity,
        maxWeight: 20,
        onEvicted: () => {
          for (const key of keys) map.get(key)
        },
      })
      const draw = drawing(3)
      for (let i = 0; i < 4_000; i += 1) {
        const key = keys[draw(40)]!
        map.set(key, key, { weight: 1 + draw(10) })
        assertSound(map, keys)
      }
    }
  })

  it("may change the map in any way, and make it give more up", () => {
    for (const eviction of evictions) {
      const keys = keysOf(60)
      const draw = drawing(seed)
      let depth = 0
      let now = 0
      const step = (map: BoundedMap.BoundedMap<string>, kind: number): void => {
        const key = keys[draw(60)]!
        if (kind < 60) map.set(key, key, { weight: draw(12), now, expiresAt: endOf(now, draw) })
        else if (kind < 75) map.delete(key)
        else if (kind < 90) map.get(key, now)
        else if (kind < 95) map.expire(now, draw(4))
        else if (kind < 97) map.shrink(draw(4))
        else if (kind < 98) map.clear()
        else now += 1
      }
      const map: BoundedMap.BoundedMap<string> = BoundedMap.make<string>({
        eviction,
        maxEntries: 20,
        maxWeight: 60,
        onEvicted: () => {
          if (depth === 3) return
          depth += 1
          step(map, draw(100))
          depth -= 1
        },
      })
      for (let i = 0; i < 20_000; i += 1) {
        step(map, draw(100))
        if (i % 10 === 0) assertSound(map, keys)
      }
    }
  })

  it("may delete or clear the newcomer that made room, which is then not kept", () => {
    for (const eviction of evictions) {
      for (const undo of ["delete", "clear"] as const) {
        const map: BoundedMap.BoundedMap<string> = BoundedMap.make<string>({
          eviction,
          maxEntries: 1,
          onEvicted: () => map[undo]("new"),
        })
        map.set("old", "old")
        assert.isFalse(map.set("new", "new"))
        assert.strictEqual(map.size, 0)
      }
    }
  })

  it("may lower the bounds below what is being written anew, which stays until the next write", () => {
    for (const eviction of evictions) {
      const map: BoundedMap.BoundedMap<string> = BoundedMap.make<string>({
        eviction,
        maxWeight: 10,
        onEvicted: () => map.resize({ maxEntries: 0, maxWeight: 0 }),
      })
      for (const key of ["a", "b"]) map.set(key, key, { weight: 4 })
      assert.isTrue(map.set("a", "a", { weight: 9 }))
      assert.strictEqual(map.get("a"), "a")
      assert.strictEqual(map.size, 1)
      assert.isFalse(map.set("b", "b"))
      assert.isFalse(map.shrink(1))
      assert.strictEqual(map.size + map.weight, 0)
    }
  })

  it("may throw: that comes out of the write once all is done", () => {
    for (const eviction of evictions) {
      const keys = [...keysOf(10), "heavy"]
      const gone: Array<string> = []
      const map = BoundedMap.make<string>({
        eviction,
        maxEntries: Infinity,
        maxWeight: 10,
        onEvicted: (key) => {
          gone.push(key)
          throw new Error(`gone: ${key}`)
        },
      })
      for (const key of keysOf(10)) map.set(key, key, { expiresAt: 20 })
      assert.throws(() => map.set("key:3", "key:3", { weight: 6, expiresAt: 20 }), /^gone: key:/)
      assert.lengthOf(gone, 5)
      assertSound(map, keys)
      assert.strictEqual(map.get("key:3"), "key:3")
      assert.throws(() => map.set("heavy", "heavy", { weight: 11 }), "gone: heavy")
      assert.throws(() => map.expire(20, 3), /^gone: key:/)
      assert.strictEqual(map.size, 2)
      map.resize({ maxEntries: 0, maxWeight: 0 })
      assert.throws(() => map.shrink(10), /^gone: key:/)
      assert.strictEqual(map.size, 0)
      map.resize({ maxEntries: 10, maxWeight: 10 })
      assert.isTrue(map.set("heavy", "heavy", { weight: 10 }))
      assertSound(map, keys)
    }
  })
})

/** The share of reads that found something, in `order`, where what was not there is set. */
const hitRatio = (map: BoundedMap.BoundedMap<true>, order: Iterable<string>): number => {
  let reads = 0
  let hits = 0
  for (const key of order) {
    reads += 1
    if (map.get(key) === true) hits += 1
    else map.set(key, true)
  }
  return hits / reads
}

describe("W-TinyLFU", () => {
  it("keeps what is popular while a scan passes", () => {
    const popular = keysOf(800)
    const scan = Array.from({ length: 5_000 }, (_, i) => `scan:${i}`)
    const kept = (eviction: BoundedMap.Eviction) => {
      const map = BoundedMap.make<true>({ eviction, maxEntries: 1_000 })
      for (let i = 0; i < 5; i += 1) hitRatio(map, popular)
      hitRatio(map, scan)
      return popular.filter((key) => map.find(key) !== 0).length
    }
    assert.strictEqual(kept("lru"), 0)
    assert.isAbove(kept("w-tinylfu"), 640)
  })

  it("gets most of what can be got of a loop that is slightly too large", () => {
    const loop = keysOf(1_100)
    const map = BoundedMap.make<true>({ maxEntries: 1_000 })
    for (let i = 0; i < 20; i += 1) hitRatio(map, loop)
    const best = 999 / 1_099
    let reached = 0
    for (let i = 0; i < 20; i += 1) reached += hitRatio(map, loop) / 20
    assert.isAbove(reached, 0.85 * best)
  })

  it("refuses what is heavier than all may be together, and disturbs nothing", () => {
    for (const eviction of evictions) {
      const gone: Array<string> = []
      const map = BoundedMap.make<number>({
        eviction,
        maxEntries: 10,
        maxWeight: 10,
        onEvicted: (key, value, cause) => gone.push(`${key} ${value} ${cause}`),
      })
      for (const key of keysOf(10)) map.set(key, 1)
      assert.isFalse(map.set("heavy", 2, { weight: 11 }))
      assert.deepStrictEqual(gone, ["heavy 2 refused"])
      assert.strictEqual(map.size, 10)
      assert.isFalse(map.set("key:3", 2, { weight: 11 }))
      assert.isUndefined(map.get("key:3"))
      assert.strictEqual(map.size, 9)
    }
  })

  it("lets a heavy newcomer in once it is worth all that has to go, and until then nothing goes", () => {
    const { gone, light, map } = fullOfLight()
    for (let i = 0; i < 4; i += 1) for (const key of light) map.get(key)
    let tries = 1
    while (!map.set("heavy", 1, { weight: 30 })) {
      assert.deepStrictEqual(gone.splice(0), ["heavy"])
      tries += 1
      assert.isBelow(tries, 15)
    }
    assert.isAbove(tries, 3)
    assert.lengthOf(gone, 30)
    assert.notInclude(gone, "heavy")
    assert.strictEqual(map.weight, 100)
  })

  it("gives a heavy newcomer up at the first that it cannot beat", () => {
    const { gone, light, map } = fullOfLight()
    const weak = new Set(light.slice(0, 10))
    for (let i = 0; i < 4; i += 1) for (const key of light) if (!weak.has(key)) map.get(key)
    for (let i = 0; i < 3 && gone.length < 2; i += 1) {
      gone.length = 0
      assert.isFalse(map.set("heavy", 1, { weight: 30 }))
    }
    assert.strictEqual(gone.at(-1), "heavy")
    assert.isAtLeast(gone.length, 6)
    assert.isTrue(gone.slice(0, -1).every((key) => weak.has(key)))
  })

  it("takes a refresh for no sign of use, however loud", () => {
    const map = BoundedMap.make<true>({ maxEntries: 100 })
    const used = keysOf(80)
    map.set("loud", true)
    hitRatio(map, used)
    for (let i = 0; i < 3; i += 1) hitRatio(map, used)
    for (let i = 0; i < 1_000; i += 1) map.set("loud", true)
    for (let i = 0; i < 500; i += 1) hitRatio(map, [`new:${i}`])
    assert.strictEqual(map.find("loud"), 0)
    assert.isAbove(used.filter((key) => map.find(key) !== 0).length, 60)
  })

  it("compares the newcomer as before after a rewrite that changes no weight", () => {
    const keys = keysOf(10)
    const evicted: Array<string> = []
    const map = BoundedMap.make<number>({ maxEntries: 10, onEvicted: (key) => evicted.push(key) })
    for (const key of keys) map.set(key, 0)
    for (const key of keys.slice(1, 6)) map.get(key)
    map.get("key:7")
    map.resize({ maxEntries: 9, maxWeight: Infinity })
    map.set("key:0", 1)
    assert.deepStrictEqual(evicted, ["key:8"])
  })

  it("protects what is read again after its time as a newcomer", () => {
    const map = BoundedMap.make<string>({ maxEntries: 100 })
    for (const key of keysOf(100)) map.set(key, key)
    for (const key of ["key:7", "key:3"]) map.get(key)
    const hottest = [...map.hottest()].map((slot) => map.at(slot))
    assert.deepStrictEqual(hottest.slice(0, 2), ["key:3", "key:7"])
  })
})
