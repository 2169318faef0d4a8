/** When a node takes the silence of a server for a gap. */
import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import * as Heartbeat from "../../../src/internal/marks/heartbeat.ts"

const interval = 100

type Event =
  | { readonly _tag: "lost"; readonly after: number }
  | { readonly _tag: "subscribed"; readonly after: number }
  | { readonly _tag: "checked"; readonly after: number }
  /** A beat that was sent so long before it arrives. */
  | { readonly _tag: "beat"; readonly after: number; readonly age: number }

const stepOf = (hearing: Heartbeat.Hearing, event: Event, now: number): Heartbeat.Step => {
  switch (event._tag) {
    case "lost":
      return Heartbeat.lost(hearing)
    case "subscribed":
      return Heartbeat.subscribed(hearing, now)
    case "checked":
      return Heartbeat.checked(hearing, now, interval)
    case "beat":
      return Heartbeat.beat(hearing, now - event.age, now, interval)
  }
}

const run = (events: ReadonlyArray<Event>) => {
  let now = 1_000
  let hearing = Heartbeat.unheard
  const reports: Array<Heartbeat.Report> = []
  for (const event of events) {
    now += event.after
    const step = stepOf(hearing, event, now)
    hearing = step.hearing
    reports.push(...step.reports)
  }
  return { hearing, reports, now }
}

const begins = (reason: "disconnected" | "silence") => ({ reason, isOver: false })
const isOver = (reason: "disconnected" | "silence") => ({ reason, isOver: true })
const at = (_tag: "lost" | "subscribed" | "checked", after = 0): Event => ({ _tag, after })
const beat = (after: number, age = 1): Event => ({ _tag: "beat", after, age })

describe("heartbeats", () => {
  it("the first subscription is no gap, and neither are beats in time", () => {
    const { reports } = run([
      at("subscribed"),
      at("checked", 299),
      beat(0),
      at("checked", 298),
      beat(0),
    ])
    assert.deepStrictEqual(reports, [])
  })

  it("a server that cannot be reached at first is a gap", () => {
    const { reports } = run([at("lost"), at("lost"), at("subscribed")])
    assert.deepStrictEqual(reports, [begins("disconnected"), isOver("disconnected")])
  })

  it("law 19: three intervals since the last beat that came back was sent are a gap", () => {
    const { reports } = run([at("subscribed"), beat(100, 20), at("checked", 279)])
    assert.deepStrictEqual(reports, [])
    const late = run([at("subscribed"), beat(100, 20), at("checked", 280), at("checked", 100)])
    assert.deepStrictEqual(late.reports, [begins("silence")])
  })

  it("a beat that was sent long before it arrives ends no silence", () => {
    const events = [at("subscribed"), at("checked", 400), beat(0, 300)]
    assert.deepStrictEqual(run(events).reports, [begins("silence")])
    const { reports } = run([...events, beat(0, 299)])
    assert.deepStrictEqual(reports, [begins("silence"), isOver("silence")])
  })

  it("a process that was busy finds the silence with the first beat that it reads", () => {
    const { reports } = run([at("subscribed"), beat(500, 10)])
    assert.deepStrictEqual(reports, [begins("silence"), isOver("silence")])
  })

  it("after a silence a new subscription proves nothing until a beat arrives", () => {
    const events = [at("subscribed"), at("checked", 300), at("lost"), at("subscribed", 10)]
    assert.deepStrictEqual(run(events).reports, [begins("silence")])
    assert.isFalse(Heartbeat.isDeaf(run(events).hearing, run(events).now, interval))
    const { reports } = run([...events, beat(10)])
    assert.deepStrictEqual(reports, [begins("silence"), isOver("silence")])
  })

  it("gaps begin and end in turn, with the same reason, and while one lasts nothing is proved", () => {
    const event = fc.oneof(
      fc.record({
        _tag: fc.constantFrom("lost" as const, "subscribed" as const, "checked" as const),
        after: fc.nat(400),
      }),
      fc.record({ _tag: fc.constant("beat" as const), after: fc.nat(400), age: fc.nat(400) }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { hearing, reports } = run(events)
        for (const [i, report] of reports.entries()) {
          assert.strictEqual(report.isOver, i % 2 === 1)
          if (report.isOver) assert.strictEqual(report.reason, reports[i - 1]?.reason)
        }
        const last = reports.at(-1)
        assert.strictEqual(hearing.gap, last?.isOver === false ? last.reason : undefined)
      }),
    )
  })

  it("a beat carries its time of sending", () => {
    for (const sentAt of [0, 1, 12_345.678_9, 2 ** 40 + 0.125]) {
      assert.strictEqual(Heartbeat.sentAtOf(Heartbeat.toText(sentAt)), sentAt)
    }
    for (const text of ["", "b1", "1c1", "1b", "1bx", "1b1x"]) {
      assert.isUndefined(Heartbeat.sentAtOf(text))
    }
  })
})
