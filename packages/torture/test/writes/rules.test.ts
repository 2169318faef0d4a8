import { describe, expect, it } from "vitest"
import { freshFor, maxPending } from "../../src/writes/Config.ts"
import { historyOf } from "../../src/writes/History.ts"
import type { FaultKind, Mode, WriteLine } from "../../src/writes/Line.ts"
import { violationsOf } from "../../src/writes/rules.ts"

type Lines = ReadonlyArray<WriteLine>

const rules = (...lines: ReadonlyArray<WriteLine | Lines>): ReadonlyArray<string> =>
  violationsOf(historyOf(lines.flat())).map(({ rule }) => rule)

/** A write from one time to another, acknowledged under a version. */
const write = (
  id: string,
  key: string,
  [at, ended]: readonly [number, number],
  version: number,
  of: { readonly mode?: Mode; readonly process?: string; readonly settled?: boolean } = {},
): Lines => {
  const { mode = "put", process = "A1", settled } = of
  return [
    { t: "begun", id, key, mode, process, at },
    { t: "acknowledged", id, at: ended, version, settled },
  ]
}

const source = (key: string, version: number, ...ids: ReadonlyArray<string>): WriteLine => ({
  t: "source",
  key,
  ids,
  version,
})

const read = (id: string | undefined, key: string, from: number, process = "B1"): WriteLine => ({
  t: "read",
  process,
  key,
  from,
  to: from + 1,
  id,
  isFresh: true,
  tier: "memory",
})

const fault = (kind: FaultKind, from: number, to: number, process?: string): WriteLine => ({
  t: "fault",
  kind,
  node: process?.slice(0, 1),
  process,
  from,
  to,
})

const key = "sqlite/p0"
const older = write("old", key, [0, 10], 1)
const newer = write("new", key, [100, 110], 2)

describe("an acknowledged write", () => {
  it("is at the source at the end, or a later one in its place", () => {
    expect(rules(older, newer, source(key, 2, "new"))).toEqual([])
    expect(rules(older, newer, source(key, 1, "old"))).toEqual(["acknowledged write lost"])
    expect(rules(older)).toEqual(["acknowledged write lost"])
  })

  it("is the value of its version", () => {
    expect(rules(older, newer, source(key, 2, "old"))).toEqual(["older version at the end"])
  })

  it("has a higher version than those that had ended when it began", () => {
    const late = (begun: number, version: number) =>
      rules(older, newer, write("late", key, [begun, begun + 10], version), source(key, 2, "new"))
    expect(late(2_000, 1)).toEqual(["ordered before an earlier write"])
    // As exactly as a node knows the arbiter's time while it is away.
    expect(late(1_000, 1)).toEqual([])
  })

  it("may be lost in Redis alone, when the server was killed at once", () => {
    const inRedis = write("one", "redis/p0", [0, 10], 1)
    expect(rules(inRedis, fault("kill redis", 1_000, 1_500))).toEqual([])
    expect(rules(inRedis, fault("kill redis", 9_000, 9_500))).toEqual(["acknowledged write lost"])
    expect(rules(older, fault("kill redis", 1_000, 1_500))).toEqual(["acknowledged write lost"])
  })

  it("may be lost in memory, as many keys of a process as its outbox holds", () => {
    const kept = (count: number) =>
      Array.from({ length: count }, (_, i) => write(`w${i}`, `memory/p${i}`, [0, 10], 1))
    const kill = fault("kill worker", 100, 200, "A1")
    expect(rules(...kept(maxPending), kill)).toEqual([])
    expect(rules(...kept(maxPending + 1), kill)).toEqual(["more lost than waited"])
    const tried: WriteLine = {
      t: "tried",
      process: "A1",
      key: "memory/p0",
      ids: ["w0"],
      version: 1,
      at: 20,
    }
    expect(rules(...kept(maxPending + 1), tried, kill)).toEqual([])
  })

  it("is no loss where nobody acknowledged it", () => {
    const begun: WriteLine = {
      t: "begun",
      id: "one",
      key,
      mode: "put",
      process: "A1",
      at: 0,
    }
    expect(rules(begun, { t: "failed", id: "one", at: 10, why: "away" })).toEqual([])
  })
})

describe("a value that gathers all writes", () => {
  const counted = "sqlite/u0"
  const one = write("one", counted, [0, 10], 1, { mode: "update" })
  const two = write("two", counted, [20, 30], 2, { mode: "update" })

  it("has each acknowledged one, once", () => {
    expect(rules(one, two, source(counted, 2, "one", "two"))).toEqual([])
    expect(rules(one, two, source(counted, 2, "two"))).toEqual(["acknowledged write lost"])
    expect(rules(one, two, source(counted, 3, "one", "two", "one"))).toEqual(["applied twice"])
  })

  it("has nothing that nobody wrote", () => {
    expect(rules(one, source(counted, 2, "one", "what"))).toEqual(["value from nowhere"])
  })

  it("is ordered by its places, not by versions", () => {
    const end = source(counted, 2, "one", "two")
    expect(rules(one, two, end, read("two", counted, 50_000))).toEqual([])
    expect(rules(one, two, end, read("one", counted, 50_000))).toEqual(["older given as fresh"])
  })
})

describe("a read", () => {
  const end = source(key, 2, "new")

  it("gives nothing older as fresh, once the other node has been told", () => {
    expect(rules(older, newer, end, read("old", key, 500))).toEqual([])
    expect(rules(older, newer, end, read("old", key, 3_200))).toEqual(["older given as fresh"])
    expect(rules(older, newer, end, read(undefined, key, 3_200))).toEqual(["older given as fresh"])
    expect(rules(older, newer, end, read("new", key, 3_200))).toEqual([])
  })

  it("gives nothing older at once in the process that wrote", () => {
    expect(rules(older, newer, end, read("old", key, 111, "A1"))).toEqual([
      "overtaken in its own process",
    ])
    expect(rules(older, newer, end, read("old", key, 111, "A2"))).toEqual([])
  })

  it("may be older for as long as values are fresh, where the tier was away", () => {
    const away = fault("kill redis", 100, 200)
    const late = 110 + freshFor + 3_100
    expect(rules(older, newer, end, away, read("old", key, 3_200))).toEqual([])
    expect(rules(older, newer, end, away, read("old", key, late))).toEqual(["older given as fresh"])
    const unsettled = write("new", key, [100, 110], 2, { settled: false })
    expect(rules(older, unsettled, end, read("old", key, 3_200))).toEqual([])
  })

  it("may give a put that was under way at the same time, until the source has refused it", () => {
    const late = (ended: number) => write("late", key, [90, ended], 1.5)
    expect(rules(older, newer, late(900), end, read("late", key, 3_800))).toEqual([])
    expect(rules(older, newer, late(900), end, read("late", key, 4_000))).toEqual([
      "older given as fresh",
    ])
    expect(rules(older, newer, late(95), end, read("late", key, 3_200))).toEqual([
      "older given as fresh",
    ])
  })

  it("of a stale value proves nothing", () => {
    expect(
      rules(older, newer, end, { ...read("old", key, 3_200), isFresh: false } as WriteLine),
    ).toEqual([])
  })

  it("does not see what waits in the memory of another process", () => {
    const mine = "memory/p0"
    const lines = [write("old", mine, [0, 10], 1), write("new", mine, [100, 110], 2)]
    const kept = source(mine, 2, "new")
    expect(rules(...lines, kept, read("old", mine, 3_200))).toEqual([])
    expect(rules(...lines, kept, read("old", mine, 3_200, "A1"))).toEqual([])
    const asked = { ...read("old", mine, 3_200, "A1"), tier: "upstream" } as WriteLine
    expect(rules(...lines, kept, asked)).toEqual(["overtaken in its own process"])
  })
})

describe("the end", () => {
  const end = source(key, 1, "old")
  const last = (id: string | undefined, why?: string): WriteLine => ({
    t: "final",
    process: "B1",
    key,
    id,
    why,
  })

  it("has the same value on all nodes as at the source", () => {
    expect(rules(older, end, last("old"))).toEqual([])
    expect(rules(older, end, last(undefined))).toEqual(["nodes disagree"])
    expect(rules(older, end, last(undefined, "LookupTimeout"))).toEqual(["nodes disagree"])
  })

  it("has no dead letter and nothing unhandled", () => {
    expect(rules({ t: "dead", key, why: "1 dead letter" })).toEqual(["dead letter"])
    expect(rules({ t: "unhandled", node: "A", at: 0, error: "Error" })).toEqual(["unhandled"])
  })
})
