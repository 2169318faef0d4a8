import { expect, it } from "vitest"
import { LeasePauses } from "../../../src/internal/runtime/leasePauses.ts"

const taken = (count: number, draw: number): ReadonlyArray<number> => {
  const pauses = new LeasePauses()
  return Array.from({ length: count }, () => pauses.next(draw))
}

it("each pause is twice as long as the one before, up to a second", () => {
  expect(taken(7, 0)).toEqual([50, 100, 200, 400, 800, 1_000, 1_000])
})

it("chance takes away up to half of a pause, and nothing from later ones", () => {
  expect(taken(3, 1)).toEqual([25, 50, 100])
  const pauses = new LeasePauses()
  pauses.next(1)
  expect(pauses.next(0)).toBe(100)
})
