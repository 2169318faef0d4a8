import { expect, it } from "vitest"
import { stores } from "../src/stores.ts"

const keys = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) => `product:${from + n}`)

const all = Object.entries(stores).flatMap(([variant, contenders]) =>
  Object.entries(contenders).map(([name, make]) => ({ name: `${name}, ${variant}`, make })),
)

it.each(all)("$name has all of what it has room for, and no more than that ever", ({ make }) => {
  const store = make(1_000)
  const [old, fresh] = [keys(1_000), keys(5_000, 1_000)]
  for (const key of old) store.set(key)
  expect(old.every((key) => store.get(key))).toBe(true)
  for (const key of fresh) store.set(key)
  expect([...old, ...fresh].filter((key) => store.get(key))).toHaveLength(1_000)
})
