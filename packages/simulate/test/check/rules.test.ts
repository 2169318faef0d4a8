import { describe, expect, it } from "vitest"
import { epoch } from "../../src/engine/process.ts"
import type { Change } from "../../src/history/History.ts"
import { plainRelease, silence } from "../../src/plan/Plan.ts"
import { key, Told } from "../support/told.ts"

describe("times", () => {
  it("a value is fresh for freshFor, and no longer", () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    told.at(9_999).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
    const late = new Told()
    const other = late.lookedUp(late.a)
    late.at(10_000).given(late.a, other, "Fresh")
    expect(late.broken()).toEqual(["fresh", "excuse"])
  })

  it("error grace needs a failure shortly before", () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    told.at(20_000).ended(told.lookup(told.b), "failed")
    told.at(20_050).given(told.a, value, "Stale")
    expect(told.broken()).toEqual([])
    const without = new Told()
    const other = without.lookedUp(without.a)
    without.at(20_050).given(without.a, other, "Stale")
    expect(without.broken()).toEqual(["excuse"])
  })

  it("nothing is given after its grace, not even after a failure", () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    told.at(70_000).ended(told.lookup(told.a), "failed")
    told.given(told.a, value, "Stale")
    expect(told.broken()).toEqual(["stale"])
  })

  it("maxAge is kept", () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    told.at(500).given(told.a, value, undefined, { maxAge: 600 })
    expect(told.broken()).toEqual([])
    told.at(700).given(told.a, value, undefined, { maxAge: 600 })
    expect(told.broken()).toEqual(["demand"])
  })
})

describe("changes", () => {
  const changedByA = () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    const change = told.at(1_000).changed(told.a, "set", { value: told.value() })
    return { told, value, change }
  }

  it("count at once for the node that made them, and drop its older value", () => {
    const { told, value } = changedByA()
    told.at(1_001).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual(["dropped", "noStaleSet", "excuse"])
  })

  it("count for another node once it has heard of them", () => {
    const { change, told, value } = changedByA()
    told.at(1_001).given(told.b, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.hears(told.b, change)
    told.given(told.b, value, "Fresh")
    expect(told.broken()).toEqual(["noStaleSet", "excuse"])
  })

  it("count for another node when it must know that it may have missed them", () => {
    const { told, value } = changedByA()
    told.at(1_050).beat(told.b)
    told.at(1_000 + silence).given(told.b, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(1_001 + silence).given(told.b, value, "Fresh")
    expect(told.broken()).toEqual(["noStaleSet", "excuse"])
  })

  it("do not count for another node whose gap began before them", () => {
    const { told, value } = changedByA()
    told.at(5_000).given(told.b, value, "Fresh")
    expect(told.broken()).toEqual([])
  })

  it("do not count where a failover may have lost them", () => {
    const told = new Told()
    const value = told.lookedUp(told.a)
    told.step({ _tag: "replicate" })
    const change = told.at(1_000).changed(told.a, "remove")
    told.hears(told.b, change)
    told.step({ _tag: "failover" })
    told.at(1_010).given(told.b, value, "Fresh")
    expect(told.broken()).toEqual([])
  })

  it("of other nodes leave an older value for stale-if-error, but removals do not", () => {
    const { change, told, value } = changedByA()
    told.hears(told.b, change)
    told.ended(told.lookup(told.b), "failed")
    told.at(1_001).given(told.b, value, "Stale")
    expect(told.broken()).toEqual([])
    const removal = told.changed(told.a, "remove")
    told.hears(told.b, removal)
    told.at(1_003).given(told.b, value, "Stale")
    expect(told.broken()).toEqual(["dropped"])
  })

  it("that are settled count for every checked read", () => {
    const { told, value } = changedByA()
    told.at(1_001).given(told.b, value, "Fresh", { check: true })
    expect(told.broken()).toEqual(["checked"])
  })

  it("that are older than a settled one of their process count too", () => {
    const told = new Told()
    const value = told.lookedUp(told.b)
    told.at(500).changed(told.a, "expire", { settled: false })
    told.at(600).given(told.b, value, "Fresh", { check: true })
    expect(told.broken()).toEqual([])
    told.at(700).changed(told.a, "remove", { key: "other" })
    told.at(800).given(told.b, value, "Fresh", { check: true })
    expect(told.broken()).toEqual(["checked"])
  })

  it("that are not settled and their values have a place that is known up to a trip", () => {
    const told = new Told()
    const value = told.lookedUp(told.b)
    told.at(100).changed(told.a, "set", { value: told.value(), settled: false })
    told.at(150).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(300).changed(told.a, "remove", { settled: false })
    told.at(301).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual(["dropped", "noStaleSet", "excuse"])
  })
})

describe("what cannot be decided", () => {
  it("is the order of a change and of what a node looks up after a missed change with a later place", () => {
    const after = (own: Partial<Change>) => {
      const told = new Told()
      told.at(100).changed(told.a, "expire", { settled: false, ...own })
      const value = told.lookedUp(told.a)
      const removal = told.at(101).changed(told.b, "remove")
      told.hears(told.a, removal)
      told.at(102).given(told.a, value, "Fresh")
      return told.broken()
    }
    const later = (epoch + 300) * 1_000
    expect(after({ version: later })).toEqual([])
    expect(after({ version: later, key: "other" })).toEqual(["dropped", "noStaleSet", "excuse"])
    expect(after({})).toEqual(["dropped", "noStaleSet", "excuse"])
  })

  it.each(["remove", "expire", "set"] as const)(
    "is that of a queued value and a %s whose record is evicted, unless its node has heard of that",
    (op) => {
      const after = (isEvicted: boolean, isHeard = false) => {
        const told = new Told({ tierWrites: "background" })
        const value = told.value()
        told.at(50).confirms(told.a)
        told.at(100).changed(told.a, "set", { value, settled: false })
        const other = op === "set" ? { value: told.value() } : {}
        const change = told.at(600).changed(told.b, op, other)
        told.hears(told.b, change)
        if (isHeard) told.hears(told.a, change)
        if (isEvicted) told.at(1_100).step({ _tag: "evict", share: 1 })
        told.at(1_200).given(told.b, value, "Fresh")
        return told.broken()
      }
      expect(after(true)).toEqual([])
      expect(after(false)).toContain("noStaleSet")
      expect(after(true, true)).toContain("noStaleSet")
    },
  )
})

describe("no stale set", () => {
  it("what a node looked up from before a change until after it is not fresh there", () => {
    const told = new Told()
    told.at(20_000)
    const lookup = told.lookup(told.a)
    told.at(20_010).changed(told.b, "set", { value: told.value() })
    const value = told.value()
    told.at(20_020).ended(lookup, "value", value)
    told.at(20_021).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(20_030).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual(["noStaleSet", "excuse"])
  })

  it("unless the arbiter's answer may not have reached the node", () => {
    const told = new Told()
    const lookup = told.at(20_000).lookup(told.a)
    told.at(20_010).changed(told.b, "set", { value: told.value() })
    told.step({ _tag: "requests", node: 0, condition: "lost" })
    const value = told.value()
    told.at(20_020).ended(lookup, "value", value)
    told.at(20_030).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
  })
})

describe("memory's own bound", () => {
  it("counts from the arbiter's last answer", () => {
    const told = new Told({ maxFreshFor: 1_000 })
    const value = told.lookedUp(told.a)
    told.at(1_100).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.at(1_300).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual(["fresh"])
    const confirmed = new Told({ maxFreshFor: 1_000 })
    const other = confirmed.lookedUp(confirmed.a)
    confirmed.at(1_000).confirms(confirmed.a)
    confirmed.at(1_300).given(confirmed.a, other, "Fresh")
    expect(confirmed.broken()).toEqual([])
  })

  it("leaves a value that its node has looked up in a gap for staleWhileRevalidate", () => {
    const given = (freshness: "Fresh" | "Stale", at: number) => {
      const told = new Told({ maxFreshFor: 1_000, staleWhileRevalidate: 2_000 })
      const value = told.at(20_000).lookedUp(told.b)
      told.at(20_100).changed(told.a, "remove")
      told.at(at).given(told.b, value, freshness)
      return told.broken()
    }
    expect(given("Stale", 23_300)).toEqual([])
    expect(given("Stale", 24_500)).toEqual(["excuse"])
    expect(given("Fresh", 22_000)).toContain("noStaleSet")
  })
})

describe("answers", () => {
  it("an error is that of a lookup of the key", () => {
    const told = new Told()
    const lookup = told.lookup(told.a)
    told.ended(lookup, "failed")
    told.answered(told.asks(told.b, "get"), { _tag: "Failed", key, lookup: lookup.number })
    expect(told.broken()).toEqual([])
    told.answered(told.asks(told.b, "get"), { _tag: "Failed", key, lookup: lookup.number + 1 })
    expect(told.broken()).toEqual(["error"])
  })

  it("a value was made for its key", () => {
    const told = new Told()
    told.given(told.a, 99, "Fresh")
    expect(told.broken()).toEqual(["known"])
  })

  it("every caller is answered, in time", () => {
    const told = new Told()
    told.asks(told.a, "get")
    expect(told.broken()).toEqual(["inTime"])
    const late = new Told()
    const read = late.asks(late.a, "get")
    late.at(5_000)
    late.answered(read, {
      _tag: "Value",
      key,
      value: late.lookedUp(late.a),
      freshness: undefined,
      tier: undefined,
    })
    expect(late.broken()).toEqual(["inTime"])
  })

  it("time in which a process stood still does not count", () => {
    const told = new Told()
    const read = told.asks(told.a, "get")
    told.at(10).step({ _tag: "pause", node: 0 })
    told.at(8_000).step({ _tag: "resume", node: 0 })
    const value = told.lookedUp(told.a)
    told.answered(read, { _tag: "Value", key, value, freshness: undefined, tier: undefined })
    expect(told.broken()).toEqual([])
  })
})

describe("lookups", () => {
  it("one at a time per key and node, unless a change begins a new generation", () => {
    const told = new Told()
    const one = told.lookup(told.a)
    told.at(5)
    const other = told.lookup(told.a)
    told.at(20).ended(one, "value", told.value())
    told.ended(other, "value", told.value())
    expect(told.broken()).toEqual(["oneLookup"])
    const changed = new Told()
    const older = changed.lookup(changed.a)
    changed.at(5).changed(changed.a, "remove")
    const newer = changed.lookup(changed.a)
    changed.at(20).ended(older, "value", changed.value())
    changed.ended(newer, "value", changed.value())
    expect(changed.broken()).toEqual([])
  })

  it("another one where the message of a change of about its begin meets a lookup without a lease", () => {
    const told = (refused: boolean, place: number) => {
      const told = new Told()
      told.at(10).confirms(told.a)
      if (refused) told.at(16_000).step({ _tag: "requests", node: 0, condition: "refused" })
      const version = (epoch + place) * 1_000
      const other = told.at(17_000).changed(told.b, "set", { value: told.value(), version })
      const one = told.at(20_500).lookup(told.a)
      told.at(20_505).hears(told.a, other)
      const later = told.at(20_510).lookup(told.a)
      told.at(20_520).ended(one, "value", told.value())
      told.ended(later, "value", told.value())
      return told.broken()
    }
    expect(told(true, 20_400)).toEqual([])
    expect(told(true, 17_000)).toEqual(["oneLookup"])
    expect(told(false, 20_400)).toEqual(["oneLookup"])
  })

  it("one in all nodes that are well", () => {
    const both = (told: Told) => {
      const one = told.at(20_000).lookup(told.a)
      const other = told.at(20_005).lookup(told.b)
      told.at(20_020).ended(one, "value", told.value())
      told.ended(other, "value", told.value())
      return told.broken()
    }
    expect(both(new Told())).toEqual(["oneLookupOfAll"])
    const cut = new Told()
    cut.at(19_990).step({ _tag: "partition", node: 1 })
    expect(both(cut)).toEqual([])
  })

  it("none while the node's own value is fresh, and nothing has happened", () => {
    const told = new Told()
    told.at(20_000).lookedUp(told.a)
    told.at(22_000).lookedUp(told.a)
    expect(told.broken()).toEqual(["needless"])
    const changed = new Told()
    changed.at(20_000).lookedUp(changed.a)
    changed.at(21_000).changed(changed.b, "expire")
    changed.at(22_000).lookedUp(changed.a)
    expect(changed.broken()).toEqual([])
    const disobeyed = new Told()
    const late = disobeyed.at(19_000).lookup(disobeyed.a)
    disobeyed.at(20_000).ended(late, "value", disobeyed.value())
    disobeyed.at(22_000).lookedUp(disobeyed.a)
    expect(disobeyed.broken()).toEqual([])
  })

  it("none is interrupted unless its caller leaves", () => {
    const told = new Told()
    told.ended(told.lookup(told.a), "interrupted")
    expect(told.broken()).toEqual(["leftBehind"])
    const left = new Told()
    const read = left.asks(left.a, "get")
    const lookup = left.lookup(left.a)
    left.leaves(read)
    left.ended(lookup, "interrupted")
    left.answered(read)
    expect(left.broken()).toEqual([])
  })
})

describe("at rest", () => {
  const queued = { settled: false } as const

  it("a settled set is there, whatever was missed well before it", () => {
    const told = new Told()
    told.changed(told.b, "remove", { settled: false })
    const value = told.at(1_000).value()
    told.changed(told.a, "set", { value })
    told.at(2_000).rests()
    told.has(told.b, value)
    expect(told.broken()).toEqual([])
    told.has(told.b, undefined)
    expect(told.broken()).toEqual(["kept"])
  })

  it("a queued set has arrived, unless its process ended, or it may have been too late", () => {
    const after = (told: Told, end: (told: Told) => void = () => {}) => {
      const value = told.at(1_000).value()
      told.changed(told.a, "set", { value, ...queued })
      end(told)
      told.at(2_000).rests()
      told.has(told.b, undefined)
      return told.broken()
    }
    const background = { tierWrites: "background" } as const
    expect(after(new Told(background))).toEqual(["kept"])
    expect(after(new Told())).toEqual([])
    expect(after(new Told({ ...background, settleTime: 2_000 }))).toEqual([])
    expect(after(new Told(background), (told) => told.closes(told.a))).toEqual([])
  })

  it("nodes have the same, also what one has looked up alone", () => {
    const told = new Told()
    told.step({ _tag: "partition", node: 0 })
    const [one, other] = [told.lookedUp(told.a), told.lookedUp(told.b)]
    told.at(2_000).rests()
    told.has(told.a, one)
    told.has(told.b, other)
    expect(told.broken()).toEqual(["agree"])
  })

  it("a breaker is closed once the arbiter has answered", () => {
    const told = new Told()
    told.at(2_000).rests()
    told.at(2_100).holds(told.a, 1, ["shared"])
    expect(told.broken()).toEqual([])
    told.at(2_200).confirms(told.a)
    told.at(2_300).holds(told.a, 1, ["shared"])
    expect(told.broken()).toEqual(["recovered"])
  })
})

describe("two releases", () => {
  const releases = [plainRelease, { schemaVersion: 1, isBoxed: false }]

  it("give no value of each other", () => {
    const told = new Told({ releases })
    const value = told.lookedUp(told.a)
    told.at(1).given(told.a, value, "Fresh")
    expect(told.broken()).toEqual([])
    told.given(told.b, value, "Fresh")
    expect(told.broken()).toEqual(["foreign"])
  })

  it("with the same number share undefined alone, which has no bytes", () => {
    const boxed = { schemaVersion: 0, isBoxed: true }
    const told = new Told({ releases: [plainRelease, boxed] })
    const [none, zero] = [told.lookedUp(told.a), told.lookedUp(told.a)]
    told.at(1).given(told.b, none, "Fresh")
    expect(told.broken()).toEqual([])
    told.given(told.b, zero, "Fresh")
    expect(told.broken()).toEqual(["foreign"])
  })

  it("an older one replaces nothing of the newer, and may look up again itself", () => {
    const told = new Told({ releases })
    told.at(20_000).lookedUp(told.b)
    told.at(21_500).lookedUp(told.a)
    told.at(23_000).lookedUp(told.a)
    expect(told.broken()).toEqual([])
    told.at(24_500).lookedUp(told.b)
    expect(told.broken()).toEqual(["repaired"])
  })

  it("at rest, the newer one looks up once", () => {
    const told = new Told({ releases })
    told.at(2_000).rests()
    told.at(2_010).lookedUp(told.b)
    told.at(2_020).lookedUp(told.a)
    expect(told.broken()).toEqual([])
    told.at(2_030).lookedUp(told.b)
    expect(told.broken()).toEqual(["repaired"])
  })

  it("need not agree, and a set stays for its own", () => {
    const told = new Told({ releases })
    told.at(100).changed(told.b, "set", { value: told.value() })
    told.at(2_000).rests()
    told.has(told.a, undefined)
    expect(told.broken()).toEqual([])
    told.has(told.b, undefined)
    expect(told.broken()).toEqual(["kept"])
  })
})

describe("the end", () => {
  it("every larder has opened", () => {
    const told = new Told()
    told.a.opened = undefined
    expect(told.broken()).toEqual(["inTime"])
  })

  it("leaves no timer and no lookup, and closes in time", () => {
    const timers = new Told()
    timers.leftovers = [{ life: timers.a, timers: 1 }]
    expect(timers.broken()).toEqual(["closed"])
    const running = new Told()
    running.lookup(running.a)
    expect(running.broken()).toEqual(["closed"])
  })

  it("memory is bounded at every step", () => {
    const told = new Told({ maxEntries: 2 })
    told.holds(told.a, 2)
    expect(told.broken()).toEqual([])
    told.holds(told.a, 3)
    expect(told.broken()).toEqual(["bounded"])
  })
})
