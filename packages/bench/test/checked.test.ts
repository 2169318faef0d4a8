import { expect, it } from "vitest"
import { checked } from "../src/checked.ts"
import type { Sample } from "../src/Contender.ts"
import * as Source from "../src/source.ts"

const atOnce = async () => {}

const given =
  (source: Source.Source, change: Partial<Sample> = {}) =>
  async (keys: ReadonlyArray<string>): Promise<Sample> => {
    const products = keys.map(source.take)
    const sum = products.reduce((total, { number }) => total + number, 0)
    return { millis: 1, sum, last: products.at(-1), ...change }
  }

it("a sample passes that has the products of the source and its lookups", async () => {
  const source = Source.make(5, "none")
  const take = checked(given(source), source, atOnce)
  await expect(take(["product/1", "product/4"], 2)).resolves.toMatchObject({ sum: 5 })
})

it("a wrong product, and a lookup too many, are refused", async () => {
  const source = Source.make(5, "none")
  await expect(
    checked(given(source, { sum: 4 }), source, atOnce)(["product/1"], 1),
  ).rejects.toThrow("not those of the source")
  const other = source.expected("product/2")
  await expect(
    checked(given(source, { last: other }), source, atOnce)(["product/1"], 1),
  ).rejects.toThrow()
  await expect(checked(given(source), source, atOnce)(["product/1"], 0)).rejects.toThrow(
    "lookups in one sample",
  )
})

it("lookups that go on behind are waited for", async () => {
  const source = Source.make(5, "none")
  const later = async (): Promise<Sample> => ({
    millis: 1,
    sum: 1,
    last: source.expected("product/1"),
  })
  const settled = async (lookups: number) => {
    while (source.lookups() < lookups) source.take("product/1")
  }
  await expect(checked(later, source, settled)(["product/1"], 1)).resolves.toMatchObject({ sum: 1 })
})
