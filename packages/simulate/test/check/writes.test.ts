import { describe, expect, it } from "vitest"
import { Told } from "../support/told.ts"

describe("law 23: a write of the source", () => {
  it.each(["around", "update"] as const)("makes older what was looked up before it (%s)", (op) => {
    const told = new Told()
    const change = told.at(10).begins(told.a, op)
    const lookup = told.at(20).lookup(told.a)
    const old = told.value()
    told.ended(lookup, "value", old)
    told.at(50).wrote(change)
    if (op === "update") told.makes(change, undefined)
    told.at(90).ends(change)
    told.at(200).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual(["dropped", "written", "excuse"])
  })

  it("leaves what is looked up after it, and what it has given", () => {
    const told = new Told()
    const change = told.at(10).begins(told.a, "through")
    told.at(50).wrote(change)
    const own = told.makes(change, undefined)
    const since = told.at(60).lookedUp(told.b)
    told.at(90).ends(change)
    told.at(200).given(told.a, own, "Fresh")
    told.given(told.a, since, "Fresh")
    expect(told.broken()).toEqual([])
  })

  it("counts where it failed, but then a stale value may be given when a lookup fails", () => {
    const told = new Told({ staleIfError: 60_000 })
    const old = told.at(5).lookedUp(told.a)
    const change = told.at(10).begins(told.a, "around")
    told.at(50).wrote(change)
    told.at(90).ends(change, { isDone: false, keepStale: true })
    told.at(200).ended(told.lookup(told.a), "failed")
    told.given(told.a, old, "Stale")
    expect(told.broken()).toEqual([])
    told.given(told.a, old, "Fresh")
    expect(told.broken()).toEqual(["written"])
  })

  it("that has left everything as it was makes nothing older, and excuses no lookup", () => {
    const told = new Told()
    const old = told.at(5_000).lookedUp(told.a)
    told.at(7_000).ends(told.begins(told.a, "around"), { isDone: false, isIdle: true })
    told.at(7_010).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(7_020).lookedUp(told.a)
    expect(told.broken()).toEqual(["needless"])
  })

  it("is missing in what a lagging replica gives, which is fresh until the replica has it", () => {
    const told = new Told({ replicaLag: 100 })
    const change = told.at(10).begins(told.a, "around")
    const write = told.at(50).wrote(change)
    told.at(60).ends(change)
    const lookup = told.at(70).lookup(told.a, write)
    const old = told.value()
    told.ended(lookup, "value", old)
    told.at(190).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(210).given(told.a, old, "Fresh")
    expect(told.broken()).toEqual(["written"])
  })
})

describe("law 25: an update", () => {
  it("sees those that were done before it began", () => {
    const told = new Told()
    const one = told.at(10).counts(told.a, undefined)
    const two = told.at(20).counts(told.b, one)
    expect(told.broken()).toEqual([])
    told.at(30).counts(told.a, one)
    expect(two).toBeGreaterThan(one)
    expect(told.broken()).toEqual(["counted"])
  })

  it("may see nothing after the life of the value, a clear, and an update that failed", () => {
    const told = new Told({ freshFor: 1_000 })
    told.at(10).counts(told.a, undefined)
    told.at(1_020).counts(told.b, undefined)
    told.at(1_030).changed(told.a, "clear")
    told.at(1_040).counts(told.b, undefined)
    told.at(1_050).counts(told.a, undefined, { isDone: false, keepStale: true })
    told.at(1_060).counts(told.b, undefined)
    expect(told.broken()).toEqual([])
    told.at(1_070).counts(told.a, undefined)
    expect(told.broken()).toEqual(["counted"])
  })

  it("may lose those that the arbiter has lost", () => {
    const told = new Told()
    told.at(10).counts(told.a, undefined)
    told.at(20).step({ _tag: "flush" })
    told.at(30).counts(told.b, undefined)
    expect(told.broken()).toEqual([])
  })

  it("is applied once", () => {
    const told = new Told()
    const change = told.at(10).begins(told.a, "update")
    const one = told.makes(change, undefined)
    told.at(20).makes(change, one)
    told.ends(change)
    expect(told.broken()).toEqual(["counted"])
  })

  it("sees nothing that is older than a change which was settled before it began", () => {
    const told = new Told()
    const old = told.at(10).lookedUp(told.a)
    told.at(20).changed(told.b, "remove")
    const change = told.at(30).begins(told.a, "update")
    told.makes(change, old)
    told.ends(change)
    expect(told.broken()).toEqual(["counted"])
  })
})

describe("law 16: damaged bytes", () => {
  it("count as none, also for an update", () => {
    const told = new Told()
    told.at(10).counts(told.a, undefined)
    told.at(20).step({ _tag: "requests", node: 1, condition: "corrupt" })
    told.at(30).counts(told.b, undefined)
    expect(told.broken()).toEqual([])
    told.at(40).counts(told.a, undefined)
    expect(told.broken()).toEqual(["counted"])
  })
})
