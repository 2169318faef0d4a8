import { assert, describe, it } from "@effect/vitest"
import type { View } from "../src/contenders.ts"
import { Ledger } from "../src/ledger.ts"
import { phases } from "../src/phases.ts"
import { productAt } from "../src/product.ts"
import {
  OutageCostCustomers,
  avoided,
  costOfOutage,
  findings,
  ladder,
  missing,
  percentile,
  progress,
  spreads,
  table,
  wrap,
} from "../src/report.ts"

const shown = (
  id: number,
  source: "fresh" | "stale" | "missing" = "fresh",
  priceList = 1,
): View => ({
  _tag: "Shown",
  product: productAt(id, priceList)!,
  source,
})
const failed = (id: number): View => ({ _tag: "Failed", id, reason: "CatalogueFault" })

/** A ledger with these views, one request each, in the phase. */
const book = (...requests: ReadonlyArray<readonly [(typeof phases)[number], View]>) => {
  const ledger = new Ledger()
  for (const [phase, view] of requests) {
    ledger.enter(phase)
    ledger.lookup()
    const id = view._tag === "Shown" ? view.product.id : view.id
    ledger.answer(ledger.arrive([id], 500), [view], 12)
  }
  return ledger.close()
}

describe("percentile", () => {
  it("is the nearest rank", () => {
    const values = Array.from({ length: 200 }, (_, at) => at + 1)
    assert.strictEqual(percentile(values, 0.5), 100)
    assert.strictEqual(percentile(values, 0.99), 198)
    assert.strictEqual(percentile(values, 1), 200)
    assert.strictEqual(percentile([7], 0.01), 7)
    assert.strictEqual(percentile([], 0.5), undefined)
  })
})

describe("ledger", () => {
  it("counts an answer for the phase of its request, and lookups for the phase they are sent in", () => {
    const ledger = new Ledger()
    ledger.enter("slow")
    const ticket = ledger.arrive([1], 0)
    ledger.enter("outage")
    ledger.lookup()
    ledger.answer(ticket, [shown(1, "stale")], 900)
    const { outage, slow } = ledger.close()
    assert.deepStrictEqual([slow.requests, slow.stale, slow.lookups], [1, 1, 0])
    assert.deepStrictEqual([outage.requests, outage.stale, outage.lookups], [0, 0, 1])
  })

  it("a listing fails when one of its products cannot be shown", () => {
    const ledger = new Ledger()
    ledger.answer(ledger.arrive([1, 2], 0), [shown(1), failed(2)], 5)
    ledger.answer(ledger.arrive([1, 3], 0), [shown(1), { _tag: "Gone", id: 3 }], 5)
    const { cold } = ledger.close()
    assert.strictEqual(cold.failed, 1)
    assert.deepStrictEqual(cold.latencies, [5])
  })

  it("only what was shown before a request was made counts as seen for it", () => {
    const ledger = new Ledger()
    ledger.enter("outage")
    const early = ledger.arrive([1], 0)
    ledger.answer(ledger.arrive([1], 0), [shown(1)], 5)
    const late = ledger.arrive([1], 10)
    ledger.answer(early, [failed(1)], 20)
    assert.strictEqual(ledger.peek("outage").failed, 1)
    ledger.answer(late, [failed(1)], 20)
    const { outage } = ledger.close()
    assert.strictEqual(outage.failed, 2)
    assert.strictEqual(outage.failedSeen, 1)
    assert.deepStrictEqual(outage.pagesLost, [1])
  })

  it("customers turned away, or never answered, saw a failure", () => {
    const ledger = new Ledger()
    ledger.answer(ledger.arrive([4], 0), [shown(4)], 5)
    ledger.turnAway(ledger.arrive([4], 1))
    ledger.abandon(ledger.arrive([5], 2))
    const { cold } = ledger.close()
    assert.deepStrictEqual(
      [cold.requests, cold.failed, cold.turnedAway, cold.failedSeen],
      [3, 2, 1, 1],
    )
  })

  it("a price of the old list counts after the change only, with the time it was asked for", () => {
    const figures = book(
      ["recovery", shown(1)],
      ["price change", shown(1, "fresh", 1)],
      ["price change", shown(1, "fresh", 2)],
    )
    assert.strictEqual(figures.recovery.oldPrices, 0)
    assert.strictEqual(figures["price change"].oldPrices, 1)
    assert.strictEqual(figures["price change"].lastOldPriceMillis, 500)
  })
})

describe("exit rule", () => {
  const rule = (figures: ReturnType<typeof book>) => costOfOutage({ name: "Larder", book: figures })

  it("holds when the outage failed only pages never shown before", () => {
    assert.deepStrictEqual(rule(book(["cold", shown(1)], ["outage", failed(2)])), [])
  })

  it("names each page that was shown before and failed in the outage, once", () => {
    const figures = book(
      ["cold", shown(9)],
      ["cold", shown(1)],
      ["outage", failed(9)],
      ["outage", failed(1)],
      ["outage", failed(9)],
    )
    assert.deepStrictEqual(rule(figures), [1, 9])
  })

  it("is about the outage, not about other phases", () => {
    assert.deepStrictEqual(rule(book(["cold", shown(1)], ["flaky", failed(1)])), [])
  })

  it("the error says how many pages, and lists the first", () => {
    const pages = Array.from({ length: 25 }, (_, at) => at + 100)
    const { message } = new OutageCostCustomers({ shop: "Larder", pages })
    assert.include(message, "25 pages")
    assert.include(message, "100, 101,")
    assert.include(message, "and 5 more")
  })
})

describe("report", () => {
  const results = [
    { name: "no cache", book: book(["outage", failed(1)], ["slow", shown(1, "missing")]) },
    { name: "TTL cache", book: book(["outage", failed(1)]) },
    {
      name: "Larder",
      book: book(
        ["cold", shown(1, "missing")],
        ["outage", shown(1, "stale")],
        ["price change", shown(1)],
      ),
    },
  ]

  it("the table has each shop in each phase, and fits 120 columns", () => {
    const lines = table(results).split("\n")
    for (const phase of phases)
      assert.isTrue(
        lines.some((line) => line.startsWith(phase)),
        phase,
      )
    for (const { name } of results) {
      assert.lengthOf(
        lines.filter((line) => line.slice(14).startsWith(name)),
        phases.length,
      )
    }
    assert.isAtMost(Math.max(...lines.map((line) => line.length)), 120)
  })

  it("the sentences say what the figures say", () => {
    const [outage, slow, lookups, restart, prices, ...rest] = findings(results)
    assert.include(outage, "no cache 100.0 %, TTL cache 100.0 % and Larder 0.0 %")
    assert.include(slow, "no cache 12.0 ms, TTL cache - ms")
    assert.include(lookups, "no cache 2, TTL cache 1 and Larder 3")
    assert.include(lookups, "for Larder 50 % more than no cache and 200 % more than TTL cache")
    assert.include(restart, "at first: no cache -, TTL cache - and Larder 100.0 %")
    assert.include(restart, "after a restart: no cache -, TTL cache - and Larder -")
    assert.include(prices, "TTL cache not at all and Larder until 0.50 s after it")
    assert.deepStrictEqual(rest, [])
  })

  it("the ladder has a row for each step, and says what it lacks", () => {
    const lines = ladder(results).split("\n")
    for (const { name } of results) {
      assert.lengthOf(
        lines.filter((line) => line.startsWith(name)),
        1,
      )
    }
    assert.isAtMost(Math.max(...lines.map((line) => line.length)), 120)
    assert.lengthOf(missing({ redis: undefined }), 1)
    assert.lengthOf(missing({ redis: "redis://127.0.0.1" }), 0)
  })

  it("the ladder says how long another node had old prices", () => {
    const [first] = results
    const of = (otherNode: number | undefined) => ladder([{ ...first!, otherNode }])
    assert.match(of(41.4), /\s41 ms$/m)
    assert.match(of(1_234), /\s1\.23 s$/m)
    assert.match(of(undefined), /\s-$/m)
  })

  it("the nodes have a column each, and a line for each shop", () => {
    const lines = spreads([
      { shop: "TTL cache", millis: [41, 1_620, undefined] },
      { shop: "Larder", millis: [45, 47.4, 44] },
    ])
    assert.include(lines[0], "3 nodes")
    assert.match(lines.at(-3)!, /node 1 +node 2 +node 3$/)
    assert.match(lines.at(-2)!, /TTL cache +41 ms +1\.62 s +-$/)
    assert.match(lines.at(-1)!, /Larder +45 ms +47 ms +44 ms$/)
    assert.isAtMost(Math.max(...lines.map((line) => line.length)), 120)
    assert.deepStrictEqual(spreads([]), [])
  })

  it("customers turned away are named, with what to do about it", () => {
    const ledger = new Ledger()
    ledger.turnAway(ledger.arrive([1], 0))
    const lines = findings([{ name: "Larder", book: ledger.close() }])
    assert.include(lines.at(-1), "Larder turned 1 requests away")
    assert.include(lines.at(-1), "--in-flight")
  })

  it("lookups beyond one for each request are no negative saving", () => {
    const figures = book(["cold", shown(1)]).cold
    assert.strictEqual(avoided({ ...figures, requests: 10, lookups: 4 }), 6)
    assert.strictEqual(avoided({ ...figures, requests: 10, lookups: 14 }), 0)
  })

  it("long sentences are broken between words", () => {
    const text = Array.from({ length: 60 }, (_, at) => `word${at}`).join(" ")
    const lines = wrap(text, 50).split("\n")
    assert.isAbove(lines.length, 1)
    assert.isAtMost(Math.max(...lines.map((line) => line.length)), 50)
    assert.strictEqual(lines.map((line) => line.trim()).join(" "), text)
  })

  it("the progress line names the phase and each shop's failures so far", () => {
    const ledger = new Ledger()
    ledger.enter("outage")
    ledger.answer(ledger.arrive([1], 0), [failed(1)], 5)
    ledger.answer(ledger.arrive([2], 0), [shown(2)], 5)
    const line = progress({ phase: "outage", elapsedMillis: 12_340, totalMillis: 35_000 }, [
      { name: "Larder", ledger },
    ])
    assert.include(line, "12.3/35 s outage")
    assert.include(line, "Larder 50.0 % failed of 2")
    assert.notInclude(line, "\n")
  })
})
