import { describe, expect, it } from "vitest"
import { growthText, pushedText } from "../../src/nodes/growthText.ts"
import { lookupsPerKey } from "../../src/nodes/lookups.ts"
import { hasRedis, withServer } from "../../src/redis.ts"
import { idleCommands, readCost, writeCost } from "../../src/nodes/traffic.ts"
import * as Effect from "effect/Effect"

describe("lookups of many nodes", () => {
  it.each([1, 3, 20])(
    "law 7: %i nodes that ask at the same moment make one for each key and period",
    async (nodes) => {
      expect(await lookupsPerKey({ nodes, keys: 4, periods: 3 })).toBe(1)
    },
  )
})

describe("the traffic of many nodes", async () => {
  const redis = await hasRedis()

  it.runIf(redis)("a set is one message, however many nodes listen", { timeout: 30_000 }, () =>
    withServer((server) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const alone = yield* writeCost(server, 1, 100)
          const three = yield* writeCost(server, 3, 100)
          expect([alone.published, three.published]).toEqual([1, 1])
          // Two messages more, each with the key and a version.
          expect(three.bytes - alone.bytes).toBeGreaterThan(2 * 32)
          expect(three.bytes - alone.bytes).toBeLessThan(2 * 300)
        }),
      ),
    ),
  )

  it.runIf(redis)(
    "a value that travels with its message is read by nobody, and sent to every node",
    { timeout: 60_000 },
    async () => {
      const cost = (isPushed: boolean) =>
        withServer((server) =>
          Effect.runPromise(readCost(server, { nodes: 3, readers: 2, size: 1_000, isPushed })),
        )
      const [plain, pushed] = [await cost(false), await cost(true)]
      expect(plain.reads).toBeCloseTo(2, 1)
      expect(pushed.reads).toBe(0)
      expect(plain.bytes).toBeGreaterThan(2 * 1_000)
      expect(pushed.bytes).toBeGreaterThan(3 * 1_000)
    },
  )

  it.runIf(redis)("idle nodes send a bounded number of commands", { timeout: 30_000 }, () =>
    withServer((server) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const rates = yield* idleCommands(server, { nodes: 2, larders: 1, seconds: 1 })
          const sum = [...rates.values()].reduce((sum, rate) => sum + rate, 0)
          expect(sum).toBeLessThan(10)
          expect(rates.has("info")).toBe(false)
        }),
      ),
    ),
  )
})

describe("the table", () => {
  const rates = new Map([
    ["publish", 1],
    ["ping", 0.5],
  ])
  const measured = (nodes: number, bytes: number) => ({
    nodes,
    lookups: 1,
    write: { published: 1, bytes, serverMicros: bytes / 10, nodesMicros: bytes / 2 },
    idle: rates,
    idleOfFive: rates,
  })

  it("has a row for each number of nodes, and what each further node costs", () => {
    const lines = growthText([measured(1, 100), measured(11, 1_100), { nodes: 1_000, lookups: 1 }])
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/))
    expect(lines[1]).toEqual(["1", "1.00", "1.00", "1", "100", "1.50", "1.50"])
    expect(lines[2]).toEqual(["11", "1.00", "1.00", "11", "1100", "1.50", "1.50"])
    expect(lines[3]).toEqual(["1000", "1.00", "-", "-", "-", "-", "-"])
    expect(lines.flat()).toContain(
      "each further node costs 100 bytes a write, 10.0 us of the server's processor and 50 us of its own",
    )
    expect(lines.flat()).toContain("of 11 idle nodes with 5 larders: publish 1.00, ping 0.50")
  })

  it("shows push beside no push", () => {
    const cost = (reads: number) => ({ reads, bytes: 408, serverMicros: 125.4, nodesMicros: 1_000 })
    const rows = [{ nodes: 4, readers: 3, size: 100, plain: cost(3), pushed: cost(0) }]
    const lines = pushedText(rows)
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/))
    expect(lines[1]).toEqual(["4", "100", "3", "plain", "3.0", "408", "125", "1000"])
    expect(lines[2]).toEqual(["4", "100", "3", "push", "0.0", "408", "125", "1000"])
  })
})
