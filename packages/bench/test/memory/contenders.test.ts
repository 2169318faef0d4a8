import { expect, it } from "vitest"
import { contender, contenderNames } from "../../src/memory/contenders.ts"

const keys = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) => `product:${from + n}`)

it("every contender has all of what it has room for, and no more than that ever", () => {
  for (const name of contenderNames) {
    const store = contender(name).make(1_000)
    const [old, fresh] = [keys(1_000), keys(5_000, 1_000)]
    for (const key of old) store.set(key)
    expect(
      old.every((key) => store.get(key)),
      name,
    ).toBe(true)
    for (const key of fresh) store.set(key)
    expect(
      [...old, ...fresh].filter((key) => store.get(key)),
      name,
    ).toHaveLength(1_000)
  }
})

it("what is to be compared is compared with one that knows as much", () => {
  for (const name of contenderNames) {
    expect(contender(name).baseline === "lru-cache, ttl", name).toBe(/ttl|expiry/.test(name))
  }
})
