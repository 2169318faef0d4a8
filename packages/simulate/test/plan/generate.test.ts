import { describe, expect, it } from "vitest"
import { type FaultKind, faultNames } from "../../src/plan/faults.ts"
import { generate } from "../../src/plan/generate.ts"
import type { Release } from "../../src/plan/Plan.ts"

const shownRelease = ({ isBoxed, schemaVersion }: Release): string =>
  `${schemaVersion} ${isBoxed ? "boxed" : "plain"}`

const size = { nodes: 3, steps: 400, faults: faultNames }

describe("plans", () => {
  it("the same seed gives the same plan, another seed another one, and JSON carries it", () => {
    const plan = generate(7, size)
    expect(generate(7, size)).toEqual(plan)
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
    expect(generate(8, size)).not.toEqual(plan)
  })

  it("have every operation and every kind of fault", () => {
    const tags = new Set<string>()
    for (let seed = 1; seed <= 80; seed++) {
      for (const { _tag } of generate(seed, size).steps) tags.add(_tag)
    }
    const operations = [
      "get",
      "getWithMeta",
      "getMany",
      "read",
      "refresh",
      "set",
      "expire",
      "remove",
    ]
    const writers = ["around", "through", "update", "setIfPresent", "count", "lease", "transaction"]
    const others = ["invalidateTags", "clear", "publish", "interrupt", "wait"]
    const faults = ["messages", "requests", "partition", "heal", "file", "clock", "drift", "pause"]
    const ends = ["resume", "restart", "kill", "start", "pauseArbiter", "resumeArbiter", "flush"]
    const arbiter = ["evict", "replicate", "failover", "upstream"]
    expect([...tags].toSorted()).toEqual(
      [...operations, ...writers, ...others, ...faults, ...ends, ...arbiter].toSorted(),
    )
  })

  it("run two releases now and then, and begin processes of the other one", () => {
    const plans = Array.from({ length: 100 }, (_, seed) => generate(seed, size))
    const mixed = plans.filter(({ config }) => config.releases !== undefined)
    expect(mixed.length).toBeGreaterThan(5)
    expect(mixed.length).toBeLessThan(30)
    const begun = mixed.flatMap(({ steps }) => steps).filter((step) => "release" in step)
    expect(begun.length).toBeGreaterThan(0)
    expect(new Set(mixed.flatMap(({ config }) => config.releases!).map(shownRelease))).toEqual(
      new Set(["0 plain", "0 boxed", "1 plain", "1 boxed"]),
    )
  })

  it("have only the faults that are named", () => {
    const faults: ReadonlyArray<FaultKind> = ["kill"]
    const tags = [1, 2, 3].flatMap((seed) =>
      generate(seed, { ...size, faults }).steps.map(({ _tag }) => _tag),
    )
    expect(tags).toContain("kill")
    expect(tags).not.toContain("partition")
  })
})
