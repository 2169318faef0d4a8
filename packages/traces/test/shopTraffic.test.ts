import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { shape, shopTraffic, type Trace } from "../src/index.ts"

const requests = 100_000
const traffic = shopTraffic({ seed: 1, requests })

const keysOf = ({ keys, requests }: Trace, from: number, to: number): ReadonlyArray<string> =>
  Array.from(requests.subarray(from, to), (place) => keys[place]!)

const counts = (keys: ReadonlyArray<string>): ReadonlyArray<readonly [string, number]> =>
  [...Map.groupBy(keys, (key) => key)]
    .map(([key, same]) => [key, same.length] as const)
    .toSorted(([, one], [, other]) => other - one)

it("a seed gives the same requests each time, also of a shorter trace; another seed gives others", () => {
  expect(shopTraffic({ seed: 1, requests })).toEqual(traffic)
  const short = shopTraffic({ seed: 1, requests: 500 })
  expect(short.requests).toEqual(traffic.requests.slice(0, 500))
  expect(keysOf(shopTraffic({ seed: 2, requests: 500 }), 0, 500)).not.toEqual(
    keysOf(traffic, 0, 500),
  )
})

it("a hundred of the products have a third of the requests and more, not nearly all", () => {
  const ranked = counts(keysOf(traffic, 0, 7_000)).map(([, count]) => count)
  const hundred = ranked.slice(0, 100).reduce((sum, count) => sum + count, 0)
  expect(hundred / 7_000).toBeGreaterThan(0.33)
  expect(hundred / 7_000).toBeLessThan(0.6)
})

it("what is popular drifts away", () => {
  const topOf = (from: number) =>
    new Set(
      counts(keysOf(traffic, from, from + 7_000))
        .slice(0, 20)
        .map(([key]) => key),
    )
  const first = topOf(0)
  const shared = (from: number) => [...topOf(from)].filter((key) => first.has(key)).length
  expect(shared(10_000)).toBeGreaterThan(shared(90_000))
  expect(shared(90_000)).toBeLessThan(15)
})

it("a page that was read comes back soon more often than its popularity explains", () => {
  const keys = keysOf(traffic, 0, 7_000)
  const again = keys.filter((key, at) => keys.slice(Math.max(0, at - 5), at).includes(key)).length
  const permuted = keys.toSorted()
  const shares = counts(permuted).map(([, count]) => count / keys.length)
  const byChance = 5 * shares.reduce((sum, share) => sum + share * share, 0)
  expect(again / keys.length).toBeGreaterThan(byChance + 0.05)
})

it("a burst gives one product the share that it has, and it is another one each time", () => {
  const { everyRequests, requests: length, share } = shape.bursts
  const tops = [1, 2].map((period) => {
    const end = period * everyRequests
    return counts(keysOf(traffic, end - length, end))[0]!
  })
  // The burst of the second period is beside a scan, which has half of the requests.
  expect(tops[0]![1] / length).toBeGreaterThan(0.9 * share)
  expect(tops[0]![0]).not.toBe(tops[1]![0])
})

it("the crawler asks for what nobody else does, page by page, and goes on where it stopped", () => {
  const { everyRequests, requests: length, share } = shape.scan
  const pages = keysOf(traffic, 0, 2 * everyRequests).map(Number)
  const walked = (period: number) => {
    const scan = pages.slice((period + 1) * everyRequests - length, (period + 1) * everyRequests)
    const first = period === 0 ? 0 : length * share * 0.9
    return scan.filter((page) => page >= first && page < first + length * share * 1.2).length
  }
  expect(walked(0) / length).toBeGreaterThan(0.9 * share)
  expect(walked(1) / length).toBeGreaterThan(0.7 * share)
})

it("the README says the shape in numbers", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  const { bursts, drift, popularity, products, rereads, scan } = shape
  const count = (n: number) => n.toLocaleString("en")
  for (const said of [
    `Zipf's law with exponent ${popularity.exponent} over ${count(products)} products`,
    `after each ${count(drift.everyRequests)} requests`,
    `repeats one of the last ${count(rereads.withinRequests)}`,
    `in the last ${count(bursts.requests)} of each ${count(bursts.everyRequests)} requests`,
    `in the last ${count(scan.requests)} of each ${count(scan.everyRequests)} requests`,
  ]) {
    expect(readme).toContain(said)
  }
  // In words: a quarter, a fifth and half.
  expect([rereads.share, bursts.share, scan.share]).toEqual([0.25, 0.2, 0.5])
})
