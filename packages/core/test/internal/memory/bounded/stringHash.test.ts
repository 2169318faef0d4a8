import { assert, describe, it } from "@effect/vitest"
import {
  finish,
  type HashKey,
  hashKey,
  stringHash,
} from "../../../../src/internal/memory/bounded/stringHash.ts"
import { drawing } from "../../../support/seeded.ts"

const count = 1 << 15

/** Keys as people make them, and as unlike as keys are that differ little. */
const families: Record<string, (i: number) => string> = {
  "sequential numbers": (i) => String(i),
  "numbers after a prefix": (i) => `user:${i}`,
  "numbers before a suffix": (i) => `${i}:profile`,
  "a long common beginning": (i) => `${"/a/long/path".repeat(40)}${i}`,
  "a long common end": (i) => `${i}${"/a/long/path".repeat(40)}`,
  "padded numbers": (i) => String(i).padStart(12, "0"),
  "bits as letters": (i) => i.toString(2).padStart(16, "0").replaceAll("0", "a"),
  "single units": (i) => String.fromCharCode(i),
  "units' high bits": (i) => String.fromCharCode((i & 255) << 8, (i >>> 8) << 8),
  "zeros of all lengths, with an end": (i) => "\0".repeat(i & 255) + String(i >>> 8),
}

/** The mean of (n - m)²/m over buckets that should have m each; 1 where they are filled at random. */
const unevenness = (hashes: ReadonlyArray<number>, bucketOf: (hash: number) => number): number => {
  const filled = new Int32Array(1_024)
  for (const hash of hashes) filled[bucketOf(hash)]! += 1
  const mean = hashes.length / filled.length
  return filled.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0) / filled.length
}

/** The hash by its definition, in whole numbers without end. */
const plainHash = (text: string, key: HashKey): number => {
  const low = (n: bigint) => n & 0xffff_ffffn
  const [start, first, second] = [key.start, key.first, key.second].map((n) => low(BigInt(n)))
  const units = Array.from({ length: text.length }, (_, i) => BigInt(text.charCodeAt(i)))
  let hash = low(start! ^ BigInt(text.length))
  for (let i = 0; i < units.length; i += 2) {
    const pair = units[i]! + (units[i + 1] ?? 0n) * 65_536n
    hash = low((hash ^ pair) * first!)
    hash = low((low(hash << 15n) + (hash >> 17n)) * second!)
  }
  return finish(Number(BigInt.asIntN(32, hash)))
}

describe("stringHash", () => {
  it("takes two units at a time, and the last one alone where their number is odd", () => {
    const draw = drawing(3)
    for (let length = 0; length < 40; length += 1) {
      const key = hashKey(draw(2 ** 32))
      const text = String.fromCharCode(...Array.from({ length }, () => draw(65_536)))
      assert.strictEqual(stringHash(text, key), plainHash(text, key))
    }
  })

  for (const [name, keyOf] of Object.entries(families)) {
    it(`spreads ${name}, by its low bits as by its high ones`, () => {
      for (const seed of [0, -1, 0x2545f491]) {
        const key = hashKey(seed)
        const hashes = Array.from({ length: count }, (_, i) => stringHash(keyOf(i), key))
        assert.isBelow(
          unevenness(hashes, (hash) => hash & 1_023),
          1.3,
        )
        assert.isBelow(
          unevenness(hashes, (hash) => hash >>> 22),
          1.3,
        )
        // At random half a pair is the same; here there is seldom one, but then several.
        assert.isAbove(new Set(hashes).size, count * 0.998)
      }
    })
  }

  it("is the same under the same seed, and another under another", () => {
    const hash = (seed: number) => stringHash("user:1", hashKey(seed))
    assert.strictEqual(hash(5), hash(5))
    const hashes = new Set(Array.from({ length: 10_000 }, (_, seed) => hash(seed)))
    assert.isAbove(hashes.size, 9_990)
  })

  it("has no two keys that are the same under many seeds", () => {
    const draw = drawing(1)
    const keys = Array.from({ length: 40 }, (_, seed) => hashKey(seed * 7_919))
    const flipped = (units: ReadonlyArray<number>, bit: number) =>
      units.map((unit, i) => (i === bit >>> 4 ? unit ^ (1 << (bit & 15)) : unit))
    const text = (units: ReadonlyArray<number>) => String.fromCharCode(...units)
    let worst = 0
    // Every flip of one bit in one pair of units and of one in the next or the same.
    for (let one = 0; one < 32; one += 1) {
      for (let other = one + 1; other < 96; other += 1) {
        const units = Array.from({ length: 6 }, () => draw(65_536))
        const a = text(units)
        const b = text(flipped(flipped(units, one), other))
        const same = keys.filter((key) => stringHash(a, key) === stringHash(b, key)).length
        worst = Math.max(worst, same)
      }
    }
    assert.isAtMost(worst, 1)
  })

  it("tells apart keys that differ in their length alone", () => {
    const key = hashKey(3)
    const hashes = Array.from({ length: 1_024 }, (_, i) => stringHash("\0".repeat(i), key))
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})

describe("hashKey", () => {
  it("has other multipliers for every seed, which are odd", () => {
    const keys = Array.from({ length: 50_000 }, (_, seed) => hashKey(seed))
    for (const part of ["start", "first", "second"] as const) {
      const values = keys.map((key) => key[part])
      // Of so many random numbers hardly any two are the same.
      assert.isAbove(new Set(values).size, keys.length - 10)
      if (part !== "start") assert.isTrue(values.every((value) => (value & 1) === 1))
    }
  })
})

describe("finish", () => {
  it("is the finalizer of MurmurHash3", () => {
    const known = [
      [0, 0],
      [1, 0x514e28b7],
      [2, 0x30f4c306],
      [-1, 0x81f16f39],
    ] as const
    for (const [hash, finished] of known) assert.strictEqual(finish(hash), finished | 0)
  })

  it("changes half of the bits for every bit of the input", () => {
    const draw = drawing(2)
    for (let bit = 0; bit < 32; bit += 1) {
      let changed = 0
      for (let i = 0; i < 500; i += 1) {
        const hash = draw(2 ** 32)
        let difference = finish(hash) ^ finish(hash ^ (1 << bit))
        for (; difference !== 0; difference &= difference - 1) changed += 1
      }
      assert.closeTo(changed / 500, 16, 1)
    }
  })
})
