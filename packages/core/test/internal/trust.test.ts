import { expect, it } from "vitest"
import { Trust } from "../../src/internal/trust.ts"

it("law 19: of two entries with one version, which nodes gave without the arbiter, only one's own is confirmed", () => {
  const trust = new Trust()
  trust.kept("k", { version: 5, storedAt: 1000 }, true)
  expect(trust.isConfirmed("k", { version: 5, storedAt: 1000 })).toBe(true)
  expect(trust.isConfirmed("k", { version: 5, storedAt: 1001 })).toBe(false)
  expect(trust.isConfirmed("k", { version: 6, storedAt: 1000 })).toBe(false)
  expect(trust.isConfirmed("l", { version: 5, storedAt: 1000 })).toBe(false)
})

it("of what is confirmed the oldest is forgotten first", () => {
  const trust = new Trust()
  for (let i = 0; i <= 100_000; i++) trust.kept(`k${i}`, { version: 1, storedAt: 1 }, true)
  expect(trust.isConfirmed("k0", { version: 1, storedAt: 1 })).toBe(false)
  expect(trust.isConfirmed("k1", { version: 1, storedAt: 1 })).toBe(true)
})

it("law 13: a key that should be gone stays so until something above it was put, or anything was stored", () => {
  const trust = new Trust()
  const later = { version: 10, storedAt: 1 }
  trust.miss("k", 10)
  trust.kept("k", { version: 5, storedAt: 1 }, false)
  expect(trust.missedAt("k")).toBe(10)
  trust.kept("k", later, false)
  expect(trust.missedAt("k")).toBe(0)
  trust.miss("k", 10)
  trust.kept("k", { version: 5, storedAt: 1 }, true)
  expect(trust.missedAt("k")).toBe(0)
})
