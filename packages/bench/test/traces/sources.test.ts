import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Trace } from "@larder/traces"
import * as Effect from "effect/Effect"
import { afterAll, expect, it } from "vitest"
import { generated, recording, sizesFor } from "../../src/traces/sources.ts"

const folder = mkdtempSync(join(tmpdir(), "larder-sources-"))
afterAll(() => rmSync(folder, { recursive: true }))

const loaded = (requests: number) =>
  Effect.runPromise(Effect.forEach(generated(requests), ({ load }) => load))

it("three generated traces, the same each time, each of more keys than the sizes to replay it at", async () => {
  const [shop, loop, recency, ...others] = await loaded(60_000)
  expect(others).toEqual([])
  expect(await loaded(60_000)).toEqual([shop, loop, recency])
  for (const { sizes, trace } of [shop!, loop!, recency!]) {
    expect(trace.requests.length).toBe(60_000)
    expect(trace.keys.length).toBeGreaterThan(Math.max(...sizes))
  }
})

const keysOf = ({ keys, requests }: Trace): ReadonlyArray<number> =>
  Array.from(requests, (place) => Number(keys[place]))

it("a loop begins again after its length", async () => {
  const [, loop] = await loaded(3_000)
  expect(keysOf(loop!.trace)).toEqual(Array.from({ length: 3_000 }, (_, at) => at % 1_100))
})

it("recency: a key comes back the sooner the later it was read, and a tenth of the keys are new", async () => {
  const [, , recency] = await loaded(40_000)
  const stack: Array<number> = []
  const distances = keysOf(recency!.trace).map((key) => {
    const distance = stack.indexOf(key)
    if (distance >= 0) stack.splice(distance, 1)
    stack.unshift(key)
    return distance
  })
  const settled = distances.slice(20_000)
  const share = (distance: number) =>
    settled.filter((other) => other === distance).length / settled.length
  expect(share(-1)).toBeGreaterThan(0.09)
  expect(share(-1)).toBeLessThan(0.16)
  expect(Math.max(...settled)).toBeLessThan(4_000)
  expect(share(0) / share(4) / 5 ** 0.9).toBeGreaterThan(0.8)
  expect(share(0) / share(4) / 5 ** 0.9).toBeLessThan(1.2)
})

it("a recording has sizes by its keys, and no figures that others have found", async () => {
  const file = join(folder, "shop.log")
  writeFileSync(file, Array.from({ length: 1_000 }, (_, n) => `/page/${n}`).join("\n"))
  const { name, load } = recording(file, undefined)
  const { reference, sizes, title } = await Effect.runPromise(load)
  expect([name, sizes, reference?.size]).toEqual(["shop.log", [20, 80, 250, 750], 0])
  expect(title).toBe("1,000 requests for 1,000 keys (one key per line)")
})

it("sizes are shares of the keys, each once and none of nothing", () => {
  expect(sizesFor(1_000)).toEqual([20, 80, 250, 750])
  expect(sizesFor(3)).toEqual([1, 2])
  expect(sizesFor(1)).toEqual([1])
})
