import { expect, it } from "vitest"
import { cases } from "../src/cases.ts"
import { load } from "../src/contenders/registry.ts"

it.each(cases)("$name compares those who take part in it", (bench) => {
  const names = bench.entrants.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toContain(bench.baseline)
  for (const { entrant, than } of bench.goals) {
    expect(names).toContain(entrant)
    expect(names).toContain(than)
    expect(than).not.toBe(entrant)
  }
})

it.each(cases)("$name needs Redis where somebody in it talks to Redis", (bench) => {
  const talks = bench.entrants.some(({ contender }) => contender.endsWith("redis"))
  expect(talks).toBe(bench.needs === "redis")
})

it.each(cases)("$name decides something", ({ goals }) => {
  expect(goals).not.toEqual([])
})

it("every contender of a case can be loaded", async () => {
  const names = new Set(cases.flatMap(({ entrants }) => entrants.map(({ contender }) => contender)))
  for (const name of names) expect(await load(name), name).toBeTypeOf("function")
})

it("cases and their variants have names of their own", () => {
  const names = cases.flatMap((bench) => bench.variants.map(({ name }) => `${bench.name}/${name}`))
  expect(new Set(names).size).toBe(names.length)
})
