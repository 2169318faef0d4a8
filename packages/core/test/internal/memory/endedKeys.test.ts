/** The table of keys that expired, beside a plain set of all of them. */
import { expect, it } from "vitest"
import { EndedKeys } from "../../../src/internal/memory/endedKeys.ts"
import { finish } from "../../../src/internal/memory/bounded/stringHash.ts"
import { endedKeys } from "../../../src/internal/runtime/limits.ts"
import { drawing, seed } from "../../support/seeded.ts"

it("knows nearly all that were added and not deleted, and nothing else", () => {
  const draw = drawing(seed)
  const table = new EndedKeys()
  const all = new Set<number>()
  for (let step = 0; step < 50_000; step += 1) {
    const hash = finish(draw(5_000))
    if (draw(3) === 0) {
      table.delete(hash)
      all.delete(hash)
      expect(table.has(hash)).toBe(false)
    } else {
      table.add(hash)
      all.add(hash)
      expect(table.has(hash)).toBe(true)
    }
  }
  let known = 0
  for (let key = 0; key < 5_000; key += 1) {
    const hash = finish(key)
    if (all.has(hash)) known += table.has(hash) ? 1 : 0
    else expect(table.has(hash)).toBe(false)
  }
  expect(known).toBe(table.size)
  expect(known / all.size).toBeGreaterThan(0.95)
})

it("knows the hash 0, which marks a free place", () => {
  const table = new EndedKeys()
  expect(table.has(0)).toBe(false)
  table.add(0)
  expect(table.has(0)).toBe(true)
  table.delete(0)
  expect([table.has(0), table.size]).toEqual([false, 0])
})

it("keeps the latest of more keys than fit, in a table that no longer grows", () => {
  const table = new EndedKeys()
  const many = endedKeys * 8
  for (let key = 0; key < many; key += 1) table.add(finish(key))
  expect(table.size).toBeLessThanOrEqual(endedKeys * 2)
  const latest = endedKeys / 4
  let known = 0
  for (let key = many - latest; key < many; key += 1) known += table.has(finish(key)) ? 1 : 0
  expect(known / latest).toBeGreaterThan(0.99)
  expect(table.has(finish(0))).toBe(false)
})
