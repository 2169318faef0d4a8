import { describe, expect, it } from "@effect/vitest"
import { Exit } from "effect"
import { type Failure, Failures } from "../../../src/internal/state/failureMemory.ts"

const failure = (retryAt: number, rememberUntil = 0, deniedUntil = 0): Failure => ({
  retryAt,
  rememberUntil,
  deniedUntil,
  exit: Exit.fail("down"),
  reason: "failed",
  graceDenied: false,
  notReturned: false,
  quiet: undefined,
})

describe("Failures", () => {
  it("law 3: a failure is known until it holds nothing back, is given again no more, and hides nothing stale", () => {
    const failures = new Failures()
    failures.set("retry", failure(10, 5))
    failures.set("remember", failure(5, 10))
    failures.set("denied", failure(5, 5, 10))
    for (const k of ["retry", "remember", "denied"]) {
      expect(failures.at(k, 9)).toBeDefined()
      expect(failures.at(k, 10)).toBe(undefined)
    }
    expect(failures.at("another", 0)).toBe(undefined)
  })

  it("a key is forgotten by itself, and all of them at once", () => {
    const failures = new Failures()
    failures.set("k", failure(10))
    failures.forget("k")
    expect(failures.at("k", 0)).toBe(undefined)
    failures.set("k", failure(10))
    failures.set("l", failure(10))
    failures.forget("k")
    expect(failures.at("k", 0)).toBe(undefined)
    expect(failures.at("l", 0)).toBeDefined()
    failures.set("k", failure(10))
    failures.clear()
    expect([failures.at("k", 0), failures.at("l", 0)]).toEqual([undefined, undefined])
  })

  it("law 17: 10,000 failures are known, and the one that failed longest ago is forgotten", () => {
    const failures = new Failures()
    for (let i = 0; i < 10_000; i++) failures.set(`k${i}`, failure(10))
    expect(failures.at("k0", 0)).toBeDefined()
    const again = failure(20)
    failures.set("k0", again)
    failures.set("another", failure(10))
    expect(failures.at("k0", 0)).toBe(again)
    expect(failures.at("k1", 0)).toBe(undefined)
    expect(failures.at("k2", 0)).toBeDefined()
  })
})
