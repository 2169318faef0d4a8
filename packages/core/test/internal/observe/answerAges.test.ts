/** Ages of answers: plain hits are sampled, at random steps of a generator of their own. */
import { describe, expect, it } from "vitest"
import { AnswerAges } from "../../../src/internal/observe/answerAges.ts"

/** Hits until the next sample, of so many samples. */
const steps = (ages: AnswerAges, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => {
    const { left } = ages
    ages.sample(0)
    return left
  })

describe("the steps between sampled hits", () => {
  const drawn = steps(new AnswerAges("products", undefined), 20_000)

  it("are from 1 to 127, and 64 on average", () => {
    expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([1, 127])
    const mean = drawn.reduce((sum, step) => sum + step, 0) / drawn.length
    expect(mean).toBeGreaterThan(63)
    expect(mean).toBeLessThan(65)
  })

  it("are spread evenly, also of every second step", () => {
    for (const own of [drawn, drawn.filter((_, i) => i % 2 === 0)]) {
      const short = own.filter((step) => step <= 32).length / own.length
      expect(Math.abs(short - 32 / 127)).toBeLessThan(0.02)
    }
  })

  it("are those of the larder's name: the same in each run, others for another larder", () => {
    const own = (name: string) => steps(new AnswerAges(name, undefined), 5)
    expect(own("products")).toEqual(drawn.slice(0, 5))
    expect(own("prices")).not.toEqual(drawn.slice(0, 5))
  })
})

it("a sampled hit stands for all hits since the sample before", () => {
  const ages = new AnswerAges("products", 5_000)
  let hits = 0
  for (let i = 0; i < 100; i++) {
    hits += ages.left
    ages.sample(i % 2 === 0 ? 1_000 : 9_000)
    expect(ages.histogram.count).toBe(hits)
  }
  expect(ages.within).toBe(ages.histogram.state.buckets[0]![1])
  expect(ages.within).toBeLessThan(hits)
})

it("an answer is within the objective if it is younger, not as old", () => {
  const ages = new AnswerAges("products", 5_000)
  for (const age of [0, 4_999, 5_000, 5_001]) ages.record(age)
  expect(ages.within).toBe(2)
  expect(ages.histogram.count).toBe(4)
})

it("without an objective, none is within", () => {
  const ages = new AnswerAges("products", undefined)
  ages.record(0)
  expect(ages.within).toBe(0)
})
