import { generator } from "@larder/traces"
import { expect, it } from "vitest"

import { limit, nextRequests } from "../../src/traces/limit.ts"

/** The most hits that any choice of what to keep has: after each request, of the cached keys and the new one. */
const best = (requests: ReadonlyArray<number>, capacity: number): number => {
  const known = new Map<string, number>()
  const from = (at: number, cached: ReadonlyArray<number>): number => {
    const key = requests[at]
    if (key === undefined) return 0
    if (cached.includes(key)) return 1 + from(at + 1, cached)
    const state = `${at}:${cached.join()}`
    const before = known.get(state)
    if (before !== undefined) return before
    const all = [...cached, key].toSorted((a, b) => a - b)
    const choices =
      all.length <= capacity ? [all] : all.map((left) => all.filter((other) => other !== left))
    const most = Math.max(...choices.map((kept) => from(at + 1, kept)))
    known.set(state, most)
    return most
  }
  return from(0, [])
}

const limitOf = (requests: ReadonlyArray<number>, capacity: number): number =>
  limit(nextRequests(Uint32Array.from(requests)), capacity)

it("each request knows the next one for its key", () => {
  expect(nextRequests(Uint32Array.of(5, 2, 5, 5, 2, 9))).toEqual(Uint32Array.of(2, 4, 3, 6, 6, 6))
})

it("a loop over more keys than there is room for has hits still", () => {
  const requests = Array.from({ length: 400 }, (_, at) => at % 5)
  expect(limitOf(requests, 4)).toBe(best(requests, 4))
  expect(limitOf(requests, 5)).toBe(395)
})

it("no choice of what to keep has more hits, and one has as many", () => {
  const random = generator(7)
  for (let round = 0; round < 200; round++) {
    const keys = 2 + Math.floor(random() * 6)
    const requests = Array.from({ length: 24 }, () => Math.floor(random() ** 2 * keys))
    for (let capacity = 1; capacity <= keys; capacity++) {
      expect(limitOf(requests, capacity)).toBe(best(requests, capacity))
    }
  }
})
