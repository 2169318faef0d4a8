/** The entry for authors of tiers has nothing of its own, so that its classes are those of the core. */
import { expect, it } from "vitest"
import * as core from "@larder/core"
import * as entry from "@larder/core/tier"

it("@larder/core/tier has what an author of a tier needs, the same as @larder/core", () => {
  const ofCore = new Map<string, unknown>(Object.entries(core))
  const shared = Object.entries(entry).filter(([name, given]) => ofCore.get(name) === given)
  const names = [
    "Arbitration",
    "Entry",
    "Envelope",
    "Heartbeat",
    "InvalidOptions",
    "ProcessLife",
    "Tier",
    "TierLog",
  ]
  expect(shared.map(([name]) => name).toSorted()).toEqual(names)
  expect(Object.keys(entry).toSorted()).toEqual(names)
})
