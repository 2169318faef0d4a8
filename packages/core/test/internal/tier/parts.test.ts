/** Law 14: the server of each key in a tier, and the state of each server. */
import { expect, it } from "@effect/vitest"
import { TierParts } from "../../../src/internal/tier/parts.ts"
import type { TierSteps } from "../../../src/internal/tier/guardedCalls.ts"

/** Steps that are told apart by the order in which they were made. */
class Steps {
  lastKey: string | undefined
  insists = false
  readonly part: string
  constructor(part: string) {
    this.part = part
  }
  insist(): void {
    this.insists = true
  }
}

const make = (partOf?: (key: string | undefined) => string) => {
  const made: Array<Steps> = []
  const parts = new TierParts(partOf, (part) => {
    const steps = new Steps(part)
    made.push(steps)
    return steps as unknown as TierSteps
  })
  return { parts, made }
}

const byLetter = (key: string | undefined) => key?.slice(0, 1) ?? "marks"

it("a tier that is one server has one health, and its keys and marks are in one place", () => {
  const { made, parts } = make()
  expect(parts.isOne).toBe(true)
  expect([parts.of("a1"), parts.of(undefined)]).toEqual(["", ""])
  expect(parts.stepsOf("a1")).toBe(parts.stepsOf(undefined))
  expect(parts.steps(parts.of("a1"))).toBe(parts.stepsOf(undefined))
  expect(parts.stepsOf(undefined).lastKey).toBe("a1")
  expect([...parts.places(["a1", "b1"])]).toEqual([["", [0, 1]]])
  expect(made).toHaveLength(1)
})

it("each server has its own, made when it is met, and knows a key of its own", () => {
  const { made, parts } = make(byLetter)
  expect(parts.isOne).toBe(false)
  expect(parts.stepsOf("a1")).toBe(parts.stepsOf("a2"))
  expect(parts.stepsOf("b1")).not.toBe(parts.stepsOf("a2"))
  expect(parts.stepsOf(undefined).lastKey).toBe(undefined)
  expect(made.map(({ part, lastKey }) => [part, lastKey])).toEqual([
    ["", undefined],
    ["a", "a2"],
    ["b", "b1"],
    ["marks", undefined],
  ])
  expect([...parts.places(["a1", "b1", "a2"])]).toEqual([
    ["a", [0, 2]],
    ["b", [1]],
  ])
})

it("law 22: at the end every step is tried, also on a server that was not met before", () => {
  const { made, parts } = make(byLetter)
  parts.stepsOf("a1")
  parts.insist()
  parts.stepsOf("b1")
  expect(made.map(({ insists }) => insists)).toEqual([true, true, true])
})

it("a server that no longer has what it was asked for last is no part of the tier until it has again", () => {
  let moved = ""
  const byLetter = (key: string | undefined) => {
    const letter = key?.slice(0, 1) ?? "m"
    return letter === moved ? "elsewhere" : letter
  }
  const { parts } = make(byLetter)
  const steps = parts.stepsOf("a1")
  parts.stepsOf("b1")
  parts.stepsOf("m1")
  parts.stepsOf(undefined)
  const current = () => parts.current().map((steps) => (steps as unknown as Steps).part)
  expect(current()).toEqual(["", "a", "b", "m"])
  moved = "a"
  expect(current()).toEqual(["", "b", "m"])
  parts.stepsOf("a1")
  expect(current()).toEqual(["", "b", "m", "elsewhere"])
  moved = "m"
  expect(current()).toEqual(["", "a", "b", "elsewhere"])
  moved = ""
  expect(parts.stepsOf("a1")).toBe(steps)
  expect(current()).toEqual(["", "a", "b", "m"])
})

it("the server of the marks is a part of the tier, also where the key that it had is elsewhere", () => {
  let isMoved = false
  const { parts } = make((key) => (key === undefined || !isMoved ? "m" : "n"))
  parts.stepsOf("m1")
  isMoved = true
  expect(parts.current()).toHaveLength(2)
})

it("of more than 256 servers the one that was met first is forgotten", () => {
  const { parts } = make((key) => key ?? "marks")
  const first = parts.stepsOf("k0")
  const second = parts.stepsOf("k1")
  for (let i = 2; i < 256; i++) parts.stepsOf(`k${i}`)
  expect(parts.stepsOf("k0")).toBe(first)
  parts.stepsOf("one more")
  expect(parts.current()).toHaveLength(257)
  expect(parts.stepsOf("k1")).toBe(second)
  expect(parts.stepsOf("k0")).not.toBe(first)
})
