import { expect, it } from "vitest"
import { standing } from "../../src/output/standing.ts"
import { hit, redis } from "./samples.ts"

const [result] = hit.results

it("a baseline that is a library may be the fastest other one; a bare client is not", () => {
  expect(standing(result!).peer?.name).toBe("effect")
  expect(standing(redis.results[0]!)).toMatchObject({
    baseline: { name: "ioredis", ratio: 1.25 },
    peer: { name: "cacheable", ratio: 200 / 180 },
  })
})

it("a bare map is no library, and is told apart", () => {
  const bare = { ...result!.lines[0]!, contender: "bare Map getMany" }
  const { floor, peer } = standing({ ...result!, lines: [bare, ...result!.lines] })
  expect(floor).toMatchObject({ name: "bare Map getMany", ratio: 1 })
  expect(peer?.name).toBe("effect")
  expect(standing(result!).floor).toBeUndefined()
})

it("of several ways to ask a larder it is the one that is judged, however fast", () => {
  const slower = { ...result!.lines[0]!, contender: "larder, judged" }
  const twice = { ...result!, lines: [slower, ...result!.lines] }
  const verdicts = [{ ...result!.verdicts[0]!, contender: "larder, judged" }]
  expect(standing({ ...twice, verdicts }).larder.contender).toBe("larder, judged")
  expect(standing({ ...twice, verdicts: [] }).larder.contender).toMatch(/^larder/)
})

it("a result without a larder or without a baseline is no result", () => {
  const [larder, baseline] = result!.lines
  expect(() => standing({ ...result!, lines: [baseline!] })).toThrow("hit (zipf) has no larder")
  expect(() => standing({ ...result!, lines: [larder!] })).toThrow("hit (zipf) has no baseline")
})
