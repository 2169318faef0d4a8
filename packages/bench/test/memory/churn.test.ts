import { setFlagsFromString } from "node:v8"
import { expect, it } from "vitest"
import { runInNewContext } from "node:vm"
import { bytesPerEntry } from "../../src/memory/bytes.ts"
import { churn } from "../../src/memory/churn.ts"
import type { Store } from "../../src/memory/contenders.ts"
import { keys } from "../../src/memory/keys.ts"

setFlagsFromString("--expose-gc")
globalThis.gc = runInNewContext("gc")

const arrays = (bytes: number) => (): Store => {
  const stored = new Map<string, Uint8Array>()
  return {
    get: (key) => stored.has(key),
    set: (key) => void stored.set(key, new Uint8Array(bytes)),
  }
}

it("bytes per entry are those of what each entry adds, outside of the heap too", async () => {
  const few = await bytesPerEntry(arrays(100), keys(20_000))
  const many = await bytesPerEntry(arrays(1_100), keys(20_000))
  expect(many - few).toBeGreaterThan(900)
  expect(many - few).toBeLessThan(1_100)
})

it("an entry that is lost is no saving", async () => {
  const forgetful = (): Store => ({ get: (key) => !key.endsWith("7"), set: () => {} })
  await expect(bytesPerEntry(forgetful, keys(100))).rejects.toThrow(
    "product:00000007 was stored and is not there",
  )
})

it("garbage is seen of what makes some, and none of what keeps what it is given", async () => {
  const held = { key: "" }
  const latest = (): Store => ({
    get: (key) => held.key === key,
    set: (key) => void (held.key = key),
  })
  const wasteful = (): Store => {
    const { get } = latest()
    return { get, set: (key) => void (held.key = `${[key, key, key].join("").slice(0, 16)}`) }
  }
  const [old, fresh] = [keys(1_000), keys(100_000, 1_000)]
  const none = await churn(latest, old, fresh)
  const some = await churn(wasteful, old, fresh)
  expect(none.allocatedBytes / fresh.length).toBeLessThan(10)
  expect(some.allocatedBytes / fresh.length).toBeGreaterThan(50)
  await expect(churn(() => ({ get: () => false, set: () => {} }), old, fresh)).rejects.toThrow(
    "none of the new keys is there",
  )
})
