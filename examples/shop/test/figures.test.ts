import { Metrics } from "@larder/core"
import { assert, describe, it } from "@effect/vitest"
import { absent, figures, told } from "../src/figures.ts"
import { parse, Readings } from "../src/readings.ts"

/** The readings of a node, one page after the other. */
const readingsOf = (pages: Readonly<Record<string, ReadonlyArray<string>>>): Readings => {
  const readings = new Readings()
  for (const [node, each] of Object.entries(pages)) {
    for (const page of each) readings.add(node, page)
  }
  return readings
}

const figure = (question: string, page: string): string | undefined =>
  told(readingsOf({ a: [page] }))
    .find((line) => line.startsWith(`${question}  `))
    ?.slice(question.length)
    .trim()

describe("readings", () => {
  it("reads the samples of a page, and nothing else", () => {
    const page = [
      "# HELP larder_entries Entries in memory",
      "# TYPE larder_entries gauge",
      'larder_entries{larder="a \\"b\\"",x="1,2"} 3.5',
      "up 1",
      'd_bucket{le="+Inf"} +Inf',
      "",
    ]
    assert.deepStrictEqual(parse(page.join("\n")), [
      { metric: "larder_entries", labels: { larder: 'a \\"b\\"', x: "1,2" }, value: 3.5 },
      { metric: "up", labels: {}, value: 1 },
      { metric: "d_bucket", labels: { le: "+Inf" }, value: Infinity },
    ])
  })

  it("adds the last totals of all nodes up, by labels", () => {
    const readings = readingsOf({
      a: ['n{x="1"} 1', 'n{x="1"} 4\nn{x="2"} 0'],
      b: ['n{x="1"} 10\nn{x="2"} 20\nn{x="3"} 0'],
    })
    assert.strictEqual(readings.total("n"), 34)
    assert.strictEqual(readings.total("n", { x: "1" }), 14)
    assert.deepStrictEqual(
      [...readings.by("n", "x")],
      [
        ["1", 14],
        ["2", 20],
      ],
    )
    assert.deepStrictEqual(readings.valuesOf("n", "x"), ["1", "2", "3"])
  })

  it("keeps the highest value of a gauge, also when its series has gone", () => {
    const readings = readingsOf({ a: ["g 1", "g 7", "g 2", ""], b: ["g 3"] })
    assert.strictEqual(readings.highest("g"), 7)
    assert.isTrue(readings.knows("g"))
    assert.isFalse(readings.knows("h"))
  })

  it("finds the bucket of a quantile over all nodes", () => {
    const page = (few: number, most: number) =>
      `d_bucket{le="1"} ${few}\nd_bucket{le="5"} ${most}\nd_bucket{le="+Inf"} ${most}`
    const readings = readingsOf({ a: [page(1, 2)], b: [page(5, 6)] })
    assert.strictEqual(readings.quantile("d", 0.5), 1)
    assert.strictEqual(readings.quantile("d", 0.99), 5)
    assert.strictEqual(readingsOf({ a: [page(0, 0)] }).quantile("d", 0.5), undefined)
    assert.strictEqual(
      readingsOf({ a: ['d_bucket{le="1"} 0\nd_bucket{le="+Inf"} 9'] }).quantile("d", 0.5),
      Infinity,
    )
  })
})

describe("figures", () => {
  it("are made of metrics of the catalogue, and each question is another one", () => {
    const names = Metrics.catalogue.map(({ name }) => name)
    for (const { metrics } of figures) assert.includeMembers(names, [...metrics])
    assert.strictEqual(new Set(figures.map(({ question }) => question)).size, figures.length)
  })

  it("say so where no node has their metrics", () => {
    for (const line of told(new Readings())) assert.isTrue(line.endsWith(`  ${absent}`), line)
  })

  it("tell counts, shares and quantiles", () => {
    assert.strictEqual(
      figure(
        "Are calls answered?",
        'larder_answers_total{outcome="fresh"} 3\nlarder_answers_total{outcome="failed"} 1',
      ),
      "4 calls: fresh 75.0 %, failed 25.0 %",
    )
    assert.strictEqual(
      figure(
        "How long do lookups take?",
        [
          'larder_lookup_duration_seconds_bucket{le="0.05"} 98',
          'larder_lookup_duration_seconds_bucket{le="1"} 100',
          'larder_lookup_duration_seconds_bucket{le="+Inf"} 100',
          "larder_lookup_duration_seconds_count 100",
        ].join("\n"),
      ),
      "p50 within 50 ms, p99 within 1 s",
    )
    assert.strictEqual(
      figure(
        "Are there stampedes?",
        'larder_lookup_callers_bucket{le="10"} 7\nlarder_lookup_callers_count 9',
      ),
      "2 lookups with over 10 callers",
    )
    assert.strictEqual(
      figure(
        "How long is each breaker open?",
        ["closed", "open", "half_open"]
          .map(
            (state) => `larder_breaker_state_seconds_total{breaker="upstream",state="${state}"} 2`,
          )
          .join("\n"),
      ),
      "upstream 4 s",
    )
    assert.strictEqual(
      figure("How heavy are the values?", "larder_weight 5"),
      "at most 5, without a bound",
    )
    assert.strictEqual(
      figure("Why do calls fail?", 'larder_failed_answers_total{reason="failed"} 0'),
      "none",
    )
  })
})
