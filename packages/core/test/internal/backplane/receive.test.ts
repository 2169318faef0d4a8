/** How a node applies the messages of other nodes. */
import { describe, expect, it } from "@effect/vitest"
import type { Tier } from "@larder/core"
import { Effect } from "effect"
import { receive } from "../../../src/internal/backplane/receive.ts"
import type { Engine } from "../../../src/internal/state/engine.ts"
import type { FartherTier } from "../../../src/internal/tier/backingTier.ts"
import { entryOf, keep, makeEngine } from "../../support/engine.ts"

/** An engine with an arbiter that knows marks, or not, and a tier in front that notes what it is told. */
const opened = (isKnown = true) =>
  Effect.gen(function* () {
    const told: Array<string> = []
    const reading = { mayHaveMissed: () => told.push("marks may be missing"), readAt: 0 }
    const copies = {
      outdate: (key: string, version: number) => {
        told.push(`outdate ${key} ${version}`)
        return key === "in the file"
      },
      drop: (key: string, version: number) =>
        Effect.sync(() => {
          told.push(`drop ${key} ${version}`)
          return true
        }),
      suspect: () => told.push("suspect"),
    }
    const arbiter = {
      name: "shared",
      partOf: (key: string | undefined) => (key === undefined ? "marks" : key.slice(0, 1)),
      marks: { isKnown, reading, read: () => Effect.sync(() => told.push("read marks")) },
      copies: { outdate: () => false, suspect: () => {} },
      // The arbiter's time now, in microseconds.
      time: { placeOf: () => 5_000_000, wasGiven: () => {} },
    } as unknown as FartherTier
    const file = { name: "file", copies } as unknown as FartherTier
    const engine = yield* makeEngine({ farther: [file, arbiter], arbiter })
    return {
      arbiter,
      engine,
      told,
      hears: (message: Tier.Message) => receive(engine, arbiter, message),
    }
  })

const changed = (key: string, version: number, isRemoval = false): Tier.Message => ({
  _tag: "Changed",
  key,
  version,
  isRemoval,
})

const marked = (previous: number, number: number, tag?: string): Tier.Message => ({
  _tag: "Marked",
  previous,
  page: { last: number, floor: 0, dropFloor: 0, marks: [{ tag, keepStale: true, number }] },
})

const shown = (engine: Engine, k = "k") => {
  const local = engine.entries.candidate(k, engine.now())
  return local && `${local.entry.version} ${local.freshness._tag}`
}

describe("a lease that another node has returned", () => {
  it.effect(
    "wakes the fibers that wait for it, changes nothing else, and is news to them alone",
    () =>
      Effect.gen(function* () {
        const { engine, hears } = yield* opened()
        keep(engine, "k", { version: 5 })
        const signal = engine.signals.open("k")
        hears({ _tag: "Released", key: "k" })
        yield* signal.wait(Effect.never)
        signal.close()
        hears({ _tag: "Released", key: "k" })
        expect(shown(engine)).toBe("5 Fresh")
        const { messagesIgnored, messagesReceived } = engine.observer.counters
        expect([messagesReceived, messagesIgnored]).toEqual([1, 1])
      }),
  )
})

describe("a change by another node", () => {
  it.effect("law 18: an older entry is usable only for stale-if-error; its version stays", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      keep(engine, "k", { version: 5 })
      hears(changed("k", 6))
      expect(shown(engine)).toBe("5 Stale")
    }),
  )

  it.effect("law 12: an older entry is gone after a removal", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      keep(engine, "k", { version: 5 })
      hears(changed("k", 6, true))
      expect(engine.near.peek("k")).toBe(undefined)
    }),
  )

  it.effect("an entry of the same version, or a newer one, stays a plain hit", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      keep(engine, "k", { version: 5 })
      for (const message of [changed("k", 5), changed("k", 5, true), changed("k", 4, true)]) {
        hears(message)
        expect(
          engine.near.isPlain(engine.near.find("k"), engine.now(), engine.marks.generation),
        ).toBe(true)
      }
    }),
  )

  it.effect("in any order and twice, messages have the same end", () =>
    Effect.gen(function* () {
      const messages = [changed("k", 6), changed("k", 8, true), changed("k", 7)]
      const orders = [
        [0, 1, 2],
        [2, 1, 0],
        [1, 0, 2],
        [1, 1, 0, 2, 0],
      ]
      for (const order of orders) {
        const { engine, hears } = yield* opened()
        keep(engine, "k", { version: 5 })
        for (const i of order) hears(messages[i]!)
        expect(engine.near.peek("k")).toBe(undefined)
        keep(engine, "k", { version: 8 })
        for (const i of order) hears(messages[i]!)
        expect(shown(engine)).toBe("8 Fresh")
      }
    }),
  )

  it.effect(
    "laws 12, 18: of messages before one that has come, removals alone change something",
    () =>
      Effect.gen(function* () {
        const { engine, hears } = yield* opened()
        keep(engine, "k", { version: 5 })
        hears(changed("k", 8))
        hears(changed("k", 7))
        const { messagesIgnored, messagesReceived } = engine.observer.counters
        expect([messagesReceived, messagesIgnored]).toEqual([1, 1])
        hears(changed("k", 6, true))
        expect(engine.near.peek("k")).toBe(undefined)
      }),
  )

  it.effect("tiers in front of the arbiter, reads and remembered failures hear as well", () =>
    Effect.gen(function* () {
      const { engine, hears, told } = yield* opened()
      const failure = { exit: Effect.runSyncExit(Effect.fail("x")), reason: "failed" } as const
      engine.failures.set("k", {
        ...failure,
        graceDenied: false,
        notReturned: false,
        retryAt: Infinity,
        rememberUntil: Infinity,
        deniedUntil: 0,
        quiet: undefined,
      })
      hears(changed("k", 6))
      expect(told).toEqual(["outdate k 6"])
      expect(engine.failures.at("k", engine.now())).toBe(undefined)
    }),
  )

  it.effect("law 12: a removal drops an older entry from a tier that is known to have one", () =>
    Effect.gen(function* () {
      const { hears, told } = yield* opened()
      hears(changed("in the file", 6))
      hears(changed("k", 6, true))
      expect(told.filter((what) => what.startsWith("drop"))).toEqual([])
      hears(changed("in the file", 7, true))
      expect(told.filter((what) => what.startsWith("drop"))).toEqual(["drop in the file 7"])
    }),
  )

  it.effect("law 22: a closed larder does nothing with a message that was on its way", () =>
    Effect.gen(function* () {
      const { engine, hears, told } = yield* opened()
      engine.closed = true
      hears(changed("k", 6))
      hears({ _tag: "Gap", reason: "silence", part: undefined, isOver: false })
      expect(told).toEqual([])
    }),
  )
})

describe("what is counted", () => {
  it.effect("messages by whether they outdate something", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      keep(engine, "k", { version: 3 })
      for (const message of [changed("k", 4), changed("k", 3), changed("absent", 9_000_000)]) {
        hears(message)
      }
      const { messagesIgnored, messagesReceived } = engine.observer.counters
      expect([messagesReceived, messagesIgnored]).toEqual([1, 2])
    }),
  )

  it.effect(
    "how late removals and marks are, not values: a lookup's time would count as delay",
    () =>
      Effect.gen(function* () {
        const { engine, hears } = yield* opened()
        hears(changed("k", 1_000_000, true))
        hears(marked(0, 2_000_000))
        // A version ahead of the arbiter's time is not late.
        hears(changed("ahead", 9_000_000, true))
        hears(changed("looked up", 4))
        const { buckets: _, ...state } = engine.observer.measures.messageDelays.state
        expect(state).toEqual({ count: 3, sum: 7, min: 0, max: 4 })
      }),
  )
})

describe("marks of another node", () => {
  it.effect("law 12: the next mark of the chain is applied at once, without a gap", () =>
    Effect.gen(function* () {
      const { engine, hears, told } = yield* opened()
      keep(engine, "k", { tags: ["t"] })
      hears(marked(0, 3, "t"))
      hears(marked(3, 7))
      expect(shown(engine)).toBe("1 Stale")
      expect([engine.marks.readUpTo, engine.gaps.count, ...told]).toEqual([7, 0])
    }),
  )

  it.effect("law 19: a hole in the chain is a gap of the server with the marks", () =>
    Effect.gen(function* () {
      const { engine, hears, told } = yield* opened()
      keep(engine, "k", { asOf: 9 })
      keep(engine, "marks of one server", { asOf: 9 })
      hears(marked(5, 7, "t"))
      yield* Effect.yieldNow
      expect(engine.observer.counters.gaps).toBe(1)
      expect(told).toContain("marks may be missing")
      expect(told).toContain("read marks")
      // The marks that are missing have not been read.
      expect(engine.marks.readUpTo).toBe(0)
    }),
  )

  it.effect("a mark that is known already, late or twice, is no gap", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      hears(marked(0, 3))
      hears(marked(3, 7))
      hears(marked(0, 3))
      hears(marked(3, 7))
      expect([engine.gaps.count, engine.marks.last]).toEqual([0, 7])
    }),
  )

  it.effect(
    "a node that has not read any marks yet has no gap: its first read brings them all",
    () =>
      Effect.gen(function* () {
        const { engine, hears } = yield* opened(false)
        hears(marked(5, 7))
        expect(engine.gaps.count).toBe(0)
      }),
  )
})

describe("law 19: a gap", () => {
  for (const isOver of [false, true]) {
    it.effect(
      `${isOver ? "its end" : "its begin"} makes entries suspect, in memory and in the file, and has marks read`,
      () =>
        Effect.gen(function* () {
          const { engine, hears, told } = yield* opened()
          keep(engine, "k", { version: 5 })
          hears({ _tag: "Gap", reason: "silence", part: undefined, isOver })
          yield* Effect.yieldNow
          expect(shown(engine)).toBe("5 Stale")
          expect(told).toEqual(["suspect", "marks may be missing", "read marks"])
          // The end is no gap of its own.
          expect(engine.observer.counters.gaps).toBe(isOver ? 0 : 1)
          keep(engine, "k", { version: 5 })
          expect(shown(engine)).toBe("5 Fresh")
        }),
    )
  }

  it.effect("a hole that a tier found is a gap that is over: it is counted", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      keep(engine, "k", { version: 5 })
      hears({ _tag: "Gap", reason: "hole", part: undefined, isOver: true })
      expect(shown(engine)).toBe("5 Stale")
      expect(engine.observer.counters.gaps).toBe(1)
    }),
  )

  it.effect("of one server touches its keys, and leaves marks of another server as they are", () =>
    Effect.gen(function* () {
      const { engine, hears, told } = yield* opened()
      for (const k of ["a1", "b1"]) keep(engine, k, { version: 5 })
      hears({ _tag: "Gap", reason: "disconnected", part: "a", isOver: false })
      yield* Effect.yieldNow
      expect([shown(engine, "a1"), shown(engine, "b1")]).toEqual(["5 Stale", "5 Fresh"])
      expect(told).toEqual(["suspect"])
      hears({ _tag: "Gap", reason: "disconnected", part: "marks", isOver: false })
      yield* Effect.yieldNow
      expect(told).toContain("marks may be missing")
    }),
  )

  it.effect("an entry that was read before it and is stored after it is suspect", () =>
    Effect.gen(function* () {
      const { engine, hears } = yield* opened()
      const gapsBefore = engine.gaps.count
      hears({ _tag: "Gap", reason: "silence", part: undefined, isOver: false })
      const { policy } = engine.settings
      const kept = { entry: entryOf(engine, { version: 5 }), policy, weight: 1, gapsBefore }
      engine.entries.keep("k", "k", kept, engine.now())
      expect(shown(engine)).toBe("5 Stale")
      expect(
        engine.near.isPlain(engine.near.find("k"), engine.now(), engine.marks.generation),
      ).toBe(false)
    }),
  )
})
