import { expect, it } from "vitest"
import { chart } from "../../src/output/chart.ts"
import { overview } from "../../src/output/overview.ts"
import { standing } from "../../src/output/standing.ts"
import { escape, wrap } from "../../src/output/svg.ts"
import { hit, redis } from "./samples.ts"

const textsOf = (svg: string): ReadonlyArray<string> =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, content]) => content!)

it("a chart shows every library, fastest first, Larder where its time puts it", () => {
  const texts = textsOf(chart(redis))
  const names = texts.filter((content) => /^(larder|ioredis|cacheable|bento)/.test(content))
  expect(names).toEqual([
    "ioredis (baseline)",
    "cacheable over redis",
    "larder over redis",
    "bentocache over redis",
  ])
  const own = texts.indexOf("larder over redis")
  expect(texts.slice(own + 1, own + 4)).toEqual(["200 us", "300 us", "1.25x"])
})

it("a chart is readable without being seen, and escapes what it is given", () => {
  const svg = chart(hit)
  expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="title desc"/)
  expect(svg).toContain('<title id="title">memory hit inside a fiber')
  expect(svg).toContain("larder 300 ns, 0.75x; effect (baseline) 400 ns, 1.00x.</desc>")
  expect(svg).toContain("A &lt;fast&gt; CPU, 2 cores")
  expect(escape(`"&"`)).toBe("&quot;&amp;&quot;")
})

it("a chart says the unit, a logarithmic scale where there is one, and what measures it again", () => {
  expect(textsOf(chart(hit))).toContain("ns")
  expect(textsOf(chart(redis))).toContain("us, logarithmic scale")
  expect(textsOf(chart(hit))).toContain(
    "pnpm bench hit (5 rounds, a process each, libraries in turn)",
  )
})

it("a bar is as long as its median, and Larder's is told from the others", () => {
  const bars = [
    ...chart(hit).matchAll(/class="bar( larder)?" x="[\d.]+" y="[\d.]+" width="([\d.]+)"/g),
  ]
  expect(bars.map(([, larder]) => larder)).toEqual([" larder", undefined])
  expect(Number(bars[0]![2]) / Number(bars[1]![2])).toBeCloseTo(0.75, 2)
})

it("the overview compares with the baseline and with the fastest library, better or worse; a bare client is none", () => {
  const texts = textsOf(
    overview(
      [hit, redis].map(({ results }) => standing(results[0]!)),
      ["facts"],
    ),
  )
  expect(texts).toEqual(
    expect.arrayContaining(["0.75x effect", "1.25x ioredis", "1.11x cacheable", "facts"]),
  )
})

it("text breaks at spaces, not before a number, and stays within its width where words allow", () => {
  expect(wrap("one two three", 10, 48)).toEqual(["one two", "three"])
  expect(wrap("effect 4.1.0, b 2", 10, 60)).toEqual(["effect 4.1.0,", "b 2"])
  expect(wrap("much-too-long a", 10, 12)).toEqual(["much-too-long", "a"])
})
