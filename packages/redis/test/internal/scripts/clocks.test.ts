/** What a tier learns about clocks from the answers of servers. */
import { it } from "@effect/vitest"
import { assert, describe } from "vitest"
import { Clocks, unknown } from "../../../src/internal/scripts/clocks.ts"
import type { Client } from "../../../src/RedisClient.ts"

const clocks = () => new Clocks({ client: {} } as Client)

describe("the clock of a server", () => {
  it("nothing is known of it before an answer: then no moment is early enough", () => {
    const known = clocks()
    assert.strictEqual(known.timeAt("a", 1_000), unknown)
  })

  it("it is not taken to be further ahead than an answer proves", () => {
    const known = clocks()
    // At some moment from 100 to 180 it said 5,000.
    known.learn("a", 5_000, 100, 180)
    assert.strictEqual(known.timeAt("a", 180), 5_000)
    assert.strictEqual(known.timeAt("a", 280.9), 5_100)
  })

  it("an answer that was read late says less than an earlier one, which stays", () => {
    const known = clocks()
    known.learn("a", 5_000, 100, 101)
    known.learn("a", 5_100, 200, 900)
    assert.strictEqual(known.timeAt("a", 101), 5_000)
  })

  it("a better answer replaces it", () => {
    const known = clocks()
    known.learn("a", 5_000, 100, 180)
    known.learn("a", 5_101, 200, 201)
    assert.strictEqual(known.timeAt("a", 201), 5_101)
  })

  it("a clock that was set back is followed at once", () => {
    const known = clocks()
    known.learn("a", 5_000, 100, 101)
    known.learn("a", 2_000, 200, 210)
    assert.strictEqual(known.timeAt("a", 210), 2_000)
  })

  it("each server has its own; a new connection may be one to another server", () => {
    const known = clocks()
    known.learn("a", 5_000, 100, 100)
    known.learn("b", 7_000, 100, 100)
    assert.deepStrictEqual([known.timeAt("a", 100), known.timeAt("b", 100)], [5_000, 7_000])
    known.forget()
    assert.deepStrictEqual([known.timeAt("a", 100), known.timeAt("b", 100)], [unknown, unknown])
  })
})
